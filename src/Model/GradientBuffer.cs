using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model;

/// <summary>A gradient of all parameters on a replica's device, fp32, flat, in state-dict order. Rented from its replica.</summary>
public sealed class GradientBuffer : IDisposable
{
    internal GradientBuffer(long count, Device device) => Values = zeros([count], ScalarType.Float32, device);

    internal Tensor Values { get; }

    internal void Clear() => Values.zero_();

    /// <summary>Adds <paramref name="other"/>, element by element: one inner node of the reduction tree.</summary>
    public void Add(GradientBuffer other)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Values.add_(other.Values, LastingScalars.One);
    }

    /// <summary>Copies gradients <paramref name="offset"/>… to the host.</summary>
    public void Read(long offset, Span<float> destination)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var host = Values.narrow(0, offset, destination.Length).cpu();
        MemoryMarshal.Cast<byte, float>(host.bytes).CopyTo(destination);
    }

    public void Dispose() => Values.Dispose();
}
