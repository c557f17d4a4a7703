using System.Collections.Immutable;
using System.Runtime.InteropServices;
using GenSlmOrleans.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model;

/// <summary>
/// All parameters of one model copy in one flat tensor, in state-dict order. Each parameter is a leaf that shares
/// the flat tensor's memory, so a block of the parameter vector moves in or out with one copy.
/// </summary>
public sealed class FlatParameters : IDisposable
{
    private readonly Tensor _values;
    private readonly ImmutableArray<TensorDescription> _descriptions;
    private readonly Dictionary<string, int> _indexByName;
    private readonly Tensor[] _leaves;
    private readonly long[] _offsets;

    /// <param name="descriptions">Names and shapes, in state-dict order.</param>
    /// <param name="device">Where the values live.</param>
    /// <param name="precision">What forward and backward compute in.</param>
    /// <param name="trainable">Whether the parameters take part in backward.</param>
    public FlatParameters(ImmutableArray<TensorDescription> descriptions, Device device, ComputePrecision precision, bool trainable)
    {
        _descriptions = descriptions;
        _offsets = new long[descriptions.Length + 1];
        for (int i = 0; i < descriptions.Length; i++) _offsets[i + 1] = _offsets[i] + descriptions[i].ElementCount;
        ElementType = precision == ComputePrecision.Bf16 ? ScalarType.BFloat16 : ScalarType.Float32;
        _values = zeros([Count], ElementType, device);
        _leaves = new Tensor[descriptions.Length];
        _indexByName = new Dictionary<string, int>(descriptions.Length, StringComparer.Ordinal);
        for (int i = 0; i < descriptions.Length; i++)
        {
            using var scope = NewDisposeScope();
            _leaves[i] = View(_values, i).detach().requires_grad_(trainable).DetachFromDisposeScope();
            _indexByName.Add(descriptions[i].Name, i);
        }
    }

    /// <summary>How many parameters there are.</summary>
    public long Count => _offsets[^1];

    public ScalarType ElementType { get; }

    internal Tensor Values => _values;

    public Device Device => _values.device;

    /// <summary>The parameter called <paramref name="name"/>, or null when the architecture has none of that name.</summary>
    public Tensor? Find(string name) => _indexByName.TryGetValue(name, out int index) ? _leaves[index] : null;

    /// <summary>The parameter called <paramref name="name"/>.</summary>
    public Tensor this[string name] => _leaves[_indexByName[name]];

    /// <summary>Where the first of the parameters begins whose names begin with <paramref name="prefix"/>.</summary>
    public long OffsetOf(string prefix) => _offsets[_descriptions.Select((description, index) => (description.Name, index)).First(named => named.Name.StartsWith(prefix, StringComparison.Ordinal)).index];

    /// <summary>Overwrites parameters <paramref name="offset"/>… with fp32 <paramref name="values"/> (rounded when computing in bf16).</summary>
    public void Write(long offset, ReadOnlySpan<float> values)
    {
        using var scope = NewDisposeScope();
        using var noGradient = no_grad();
        var destination = _values.narrow(0, offset, values.Length);
        if (ElementType == ScalarType.Float32 && Device.type == DeviceType.CPU)
        {
            values.CopyTo(MemoryMarshal.Cast<byte, float>(destination.bytes));
            return;
        }

        var staging = empty([values.Length], ScalarType.Float32, CPU);
        values.CopyTo(MemoryMarshal.Cast<byte, float>(staging.bytes));
        destination.copy_(staging);
    }

    /// <summary>From now on backward adds into <paramref name="gradients"/>: a flat tensor of as many elements.</summary>
    internal void AccumulateInto(Tensor gradients)
    {
        for (int i = 0; i < _leaves.Length; i++)
        {
            using var scope = NewDisposeScope();
            _leaves[i].grad = View(gradients, i);
        }
    }

    private Tensor View(Tensor flat, int index) =>
        flat.narrow(0, _offsets[index], _offsets[index + 1] - _offsets[index]).view([.. _descriptions[index].Shape]);

    public void Dispose()
    {
        foreach (var leaf in _leaves)
        {
            leaf.grad = null;
            leaf.Dispose();
        }

        _values.Dispose();
    }
}
