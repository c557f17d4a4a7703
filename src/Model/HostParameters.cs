using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace GenSlmOrleans.Model;

/// <summary>The fp32 parameters of a replica that computes on the CPU, where they lie: written on any thread while the replica is idle.</summary>
public sealed unsafe class HostParameters : IDisposable
{
    private readonly HostMemory _memory;

    internal HostParameters(FlatParameters parameters) => _memory = new HostMemory(parameters.Values);

    /// <summary>
    /// Overwrites parameters <paramref name="offset"/>…, past the cache: the next forward reads them when all the others have been
    /// written too, and a line that is not there need not be read to be overwritten.
    /// </summary>
    public void Write(long offset, ReadOnlySpan<float> values) => Stream(values, _memory.At(offset, values.Length));

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stream(ReadOnlySpan<float> values, float* destination)
    {
        nuint width = (nuint)Vector256<float>.Count, count = (nuint)values.Length, done = 0;
        ref float source = ref MemoryMarshal.GetReference(values);
        if (Vector256.IsHardwareAccelerated && (nuint)destination % (width * sizeof(float)) == 0)
            for (; done + width <= count; done += width) Vector256.LoadUnsafe(ref source, done).StoreAlignedNonTemporal(destination + done);
        values[(int)done..].CopyTo(new Span<float>(destination + done, (int)(count - done)));
        // Such stores are seen by other threads in whatever order, unless they are told apart from what follows.
        Interlocked.MemoryBarrier();
    }

    public void Dispose() => _memory.Dispose();
}
