namespace GenSlmOrleans.Model;

/// <summary>The fp32 parameters of a replica that computes on the CPU, where they lie: written on any thread while the replica is idle.</summary>
public sealed unsafe class HostParameters : IDisposable
{
    private readonly HostMemory _memory;

    internal HostParameters(FlatParameters parameters) => _memory = new HostMemory(parameters.Values);

    /// <summary>Overwrites parameters <paramref name="offset"/>….</summary>
    public void Write(long offset, ReadOnlySpan<float> values) => values.CopyTo(new Span<float>(_memory.At(offset, values.Length), values.Length));

    public void Dispose() => _memory.Dispose();
}
