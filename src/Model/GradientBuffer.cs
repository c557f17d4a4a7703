using System.Runtime.InteropServices;
using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model;

/// <summary>A gradient of all parameters on a replica's device, fp32, flat, in state-dict order. Rented from its replica.</summary>
public sealed class GradientBuffer : IDisposable
{
    private readonly Replica _owner;

    private readonly DeviceType _place;
    private readonly Lazy<HostMemory> _host;

    internal GradientBuffer(long count, Device device, Replica owner)
    {
        (Values, Count, _owner, _place) = (zeros([count], ScalarType.Float32, device), count, owner, device.type);
        _host = new Lazy<HostMemory>(() => new HostMemory(Values));
    }

    internal Tensor Values { get; }

    /// <summary>How many values it has.</summary>
    internal long Count { get; }

    /// <summary>Whether whoever read it last has left zeros.</summary>
    internal bool IsClear { get; set; }

    /// <summary>Gives it back to the replica that it was rented from; on any thread, also when the replica is gone.</summary>
    public void Return() => _owner.Return(this);

    /// <summary>Whether <see cref="HostValues"/> can be had.</summary>
    public bool IsInHostMemory => _place == DeviceType.CPU;

    internal bool IsOn(Device device) => _place == device.type;

    /// <summary>Makes it all zeros, for somebody to add to.</summary>
    internal void Clear()
    {
        if (IsClear)
        {
            IsClear = false;
            return;
        }

        // In place, and yet another tensor of the same memory comes back.
        using var scope = NewDisposeScope();
        Values.zero_();
    }

    internal void CopyFrom(GradientBuffer other)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        Values.copy_(other.Values);
    }

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

    /// <summary>Rounds values <paramref name="offset"/>… to bf16 on its device: to the nearest, ties to the even one.</summary>
    public void RoundToBf16(long offset, long length)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var values = Values.narrow(0, offset, length);
        values.copy_(values.to(ScalarType.BFloat16));
    }

    /// <summary>Its values from <paramref name="offset"/> on as they lie in host memory, for as long as it has not been returned.</summary>
    public unsafe Span<float> HostValues(long offset, int length) => new(_host.Value.At(offset, length), length);

    /// <summary>
    /// Its values as they lie in host memory, for readers that may outlast the replica; null where they are a GPU's. It must be
    /// neither written nor returned before the loan has ended.
    /// </summary>
    public GradientLoan? TryLend() => _place == DeviceType.CPU ? new GradientLoan(this) : null;

    public void Dispose()
    {
        if (_host.IsValueCreated) _host.Value.Dispose();
        Values.Dispose();
    }
}
