using System.Collections.Concurrent;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model;

/// <summary>The loss of one micro-batch.</summary>
/// <param name="LossSum">Sum of the counted tokens' losses.</param>
/// <param name="LossTokens">How many tokens were counted.</param>
public readonly record struct MicroBatchLoss(double LossSum, long LossTokens);

/// <summary>
/// One copy of the model on one device. Everything here runs on that device's own <see cref="DeviceThread"/>; a
/// micro-batch leaves no tensor behind.
/// </summary>
public sealed class Replica : IDisposable
{
    private readonly FlatParameters _parameters;
    private readonly GptNeoX _model;
    private readonly Device _device;
    private readonly PadTokens _padTokens;
    private readonly List<GradientBuffer> _gradients = [];
    private readonly ConcurrentStack<GradientBuffer> _idleGradients = new();
    private readonly ConcurrentStack<GradientBuffer> _idleHostGradients = new();
    private readonly Tensor? _microBatchGradient;
    private GradientBuffer? _current;
    private bool _isMicroBatchGradientDirty;

    /// <param name="config">The architecture.</param>
    /// <param name="deviceName"><c>cpu</c> or <c>cuda:N</c>.</param>
    /// <param name="precision">What forward and backward compute in.</param>
    /// <param name="padTokens">Whether padding counts in the loss.</param>
    public Replica(HuggingFaceConfig config, string deviceName, ComputePrecision precision, PadTokens padTokens)
    {
        NativeLibraries.EnsureLoaded();
        _device = device(deviceName);
        _padTokens = padTokens;
        _parameters = new FlatParameters(GptNeoXStateDict.Describe(config), _device, precision, trainable: true);
        _model = new GptNeoX(config, _parameters);
        if (precision != ComputePrecision.Bf16) return;
        _microBatchGradient = zeros([_parameters.Count], ScalarType.BFloat16, _device);
        _parameters.AccumulateInto(_microBatchGradient);
    }

    /// <summary>Whether it computes on a GPU.</summary>
    internal bool IsOnGpu => _device.type == DeviceType.CUDA;

    /// <summary>How many parameters the model has.</summary>
    public long ParameterCount => _parameters.Count;

    /// <summary>Overwrites parameters <paramref name="offset"/>….</summary>
    public void WriteParameters(long offset, ReadOnlySpan<float> values) => _parameters.Write(offset, values);

    /// <summary>The parameters where they lie, when they are fp32 values in host memory; null otherwise.</summary>
    public HostParameters? TryShareParameters() =>
        _device.type == DeviceType.CPU && _parameters.ElementType == ScalarType.Float32 ? new HostParameters(_parameters) : null;

    /// <summary>A gradient of zeros, to accumulate into. Give it back with <see cref="Return"/>.</summary>
    public GradientBuffer RentGradient()
    {
        if (_idleGradients.TryPop(out var idle))
        {
            idle.Clear();
            return idle;
        }

        return Made(_device);
    }

    /// <summary>
    /// A gradient in host memory, where it can be added to another device's: on the CPU the same one, from a GPU a copy, for
    /// which <paramref name="gradient"/> is given back. fp32 addition gives the same bits on both.
    /// </summary>
    public GradientBuffer ToHost(GradientBuffer gradient)
    {
        if (_device.type == DeviceType.CPU) return gradient;
        var host = _idleHostGradients.TryPop(out var idle) ? idle : Made(CPU);
        host.CopyFrom(gradient);
        Return(gradient);
        return host;
    }

    /// <summary>Takes back a gradient that <see cref="RentGradient"/> gave, on any thread.</summary>
    public void Return(GradientBuffer gradient) => (gradient.IsOn(_device) ? _idleGradients : _idleHostGradients).Push(gradient);

    /// <summary>How many gradients are in others' hands.</summary>
    public int GradientsOut => _gradients.Count - _idleGradients.Count - _idleHostGradients.Count;

    /// <summary>
    /// Forward and backward of one micro-batch: adds the gradient of (summed loss × <paramref name="lossFactor"/>) to
    /// <paramref name="gradient"/>, layer by layer from the last.
    /// </summary>
    /// <param name="batch">What is computed.</param>
    /// <param name="lossFactor">Factor of the loss.</param>
    /// <param name="gradient">What is added to.</param>
    /// <param name="finished">Told, on this thread, from where on the gradient has all that this micro-batch adds to it: at last 0.</param>
    public MicroBatchLoss Accumulate(MicroBatch batch, float lossFactor, GradientBuffer gradient, Action<long>? finished = null)
    {
        long targets = CausalLoss.CountTargets(batch, _padTokens);
        if (targets == 0)
        {
            finished?.Invoke(0);
            return default;
        }

        Target(gradient);
        using var scope = NewDisposeScope();
        // A backward that failed half-way may have left something.
        if (_isMicroBatchGradientDirty) ClearMicroBatchGradient();
        _isMicroBatchGradientDirty = _microBatchGradient is not null;
        var (ids_BT, real_BT) = Inputs(batch);
        var layers = new LayerwisePass(_model, ids_BT, KeyMask(batch, real_BT));
        var loss = CausalLoss.Sum(_model.Logits(layers.HiddenStates), ids_BT, real_BT, _padTokens);
        long end = ParameterCount;
        foreach (long from in layers.Backward(loss.mul(tensor(lossFactor, device: _device))))
        {
            if (_microBatchGradient is not null) Move(_microBatchGradient, gradient.Values, from, end);
            end = from;
            finished?.Invoke(from);
        }

        _isMicroBatchGradientDirty = false;
        return new MicroBatchLoss(loss.item<float>(), targets);
    }

    /// <summary>The loss of one micro-batch, without gradients.</summary>
    public MicroBatchLoss Evaluate(MicroBatch batch)
    {
        long targets = CausalLoss.CountTargets(batch, _padTokens);
        if (targets == 0) return default;
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        return new MicroBatchLoss(Loss(batch).item<float>(), targets);
    }

    /// <summary>Hidden states [B·T·D] and logits [B·T·V] of a batch, row-major, for parity checks.</summary>
    public (float[] HiddenStates, float[] Logits) Infer(MicroBatch batch)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var (ids_BT, real_BT) = Inputs(batch);
        var hidden = _model.HiddenStates(ids_BT, KeyMask(batch, real_BT));
        var logits = _model.Logits(hidden);
        return (hidden.to(ScalarType.Float32).cpu().data<float>().ToArray(), logits.to(ScalarType.Float32).cpu().data<float>().ToArray());
    }

    private static void Move(Tensor source, Tensor destination, long from, long end)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var part = source.narrow(0, from, end - from);
        destination.narrow(0, from, end - from).add_(part, LastingScalars.One);
        part.zero_();
    }

    private void ClearMicroBatchGradient()
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        _microBatchGradient?.zero_();
    }

    private GradientBuffer Made(Device place)
    {
        var made = new GradientBuffer(_parameters.Count, place, this);
        _gradients.Add(made);
        return made;
    }

    private Tensor Loss(MicroBatch batch)
    {
        var (ids_BT, real_BT) = Inputs(batch);
        var hidden = _model.HiddenStates(ids_BT, KeyMask(batch, real_BT));
        return CausalLoss.Sum(_model.Logits(hidden), ids_BT, real_BT, _padTokens);
    }

    // With padding on the right, causal attention alone keeps padding away from real tokens; a mask is needed only
    // where padded queries count too.
    private Tensor? KeyMask(MicroBatch batch, Tensor real_BT) =>
        _padTokens == PadTokens.Count && batch.PaddingTokens > 0 ? real_BT : null;

    private (Tensor Ids_BT, Tensor Real_BT) Inputs(MicroBatch batch)
    {
        var ids = new long[batch.TokenIds.Length];
        for (int i = 0; i < ids.Length; i++) ids[i] = batch.TokenIds[i];
        var ids_BT = tensor(ids, [batch.RecordCount, batch.Columns], ScalarType.Int64, CPU).to(_device);
        var lengths_B1 = tensor(batch.Lengths, ScalarType.Int32, CPU).to(_device).unsqueeze(1);
        var real_BT = tensor(Enumerable.Range(0, batch.Columns).ToArray(), ScalarType.Int32, CPU).to(_device).unsqueeze(0).lt(lengths_B1);
        return (ids_BT, real_BT);
    }

    private void Target(GradientBuffer gradient)
    {
        if (ReferenceEquals(_current, gradient) || _microBatchGradient is not null) return;
        // Until all of it is done, none of it is.
        _current = null;
        _parameters.AccumulateInto(gradient.Values);
        _current = gradient;
    }

    public void Dispose()
    {
        _model.Dispose();
        _parameters.Dispose();
        _microBatchGradient?.Dispose();
        // Those included that work which was broken off had in hand.
        foreach (var gradient in _gradients) gradient.Dispose();
    }
}
