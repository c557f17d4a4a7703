using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace GenSlmOrleans.Model;

/// <summary>The values of a flat fp32 tensor where they lie in host memory. They outlast the tensor: the memory goes when both have let go of it.</summary>
internal sealed unsafe class HostMemory : IDisposable
{
    private readonly torch.Tensor _alias;
    private readonly float* _start;
    private readonly long _length;

    /// <param name="values">A flat fp32 tensor on the CPU.</param>
    public HostMemory(torch.Tensor values)
    {
        using var scope = torch.NewDisposeScope();
        _alias = values.alias().DetachFromDisposeScope();
        _length = values.numel();
        // A span of bytes ends at 2 GB; where the first begins is enough.
        _start = (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(values.narrow(0, 0, Math.Min(1, _length)).bytes));
    }

    /// <summary>Where <paramref name="length"/> values from <paramref name="offset"/> on begin.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are not so many.</exception>
    public float* At(long offset, int length)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(offset + length, _length);
        return _start + offset;
    }

    public void Dispose() => _alias.Dispose();
}
