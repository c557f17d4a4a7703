using GenSlmOrleans.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model;

/// <summary>
/// Rotary position embedding ("RoFormer", Su et al. 2021) in GPT-NeoX's arrangement: the first R dimensions of a head
/// are turned, in pairs (i, i + R/2). The table is computed in fp32 as transformers does, and grows when needed.
/// </summary>
internal sealed class RotaryTable(HuggingFaceConfig config, ScalarType elementType, Device device) : IDisposable
{
    private readonly int _rotaryDimensions = config.RotaryDimensions;
    private Tensor? _cos_T11R;
    private Tensor? _sin_T11R;

    /// <summary>Cosines and sines of the first <paramref name="tokens"/> positions, [T, 1, 1, R] each.</summary>
    public (Tensor Cos_T11R, Tensor Sin_T11R) First(long tokens)
    {
        if (_cos_T11R is null || _cos_T11R.shape[0] < tokens) Grow(tokens);
        return (_cos_T11R!.narrow(0, 0, tokens), _sin_T11R!.narrow(0, 0, tokens));
    }

    /// <summary>Turns queries and keys, [B, T, N, 2, H] → the same shape.</summary>
    public Tensor Turn(Tensor x_BTN2H, Tensor cos_T11R, Tensor sin_T11R)
    {
        if (_rotaryDimensions == 0) return x_BTN2H;
        long half = _rotaryDimensions / 2, rest = x_BTN2H.shape[^1] - _rotaryDimensions;
        var turning = x_BTN2H.narrow(-1, 0, _rotaryDimensions);
        var swapped = cat([-turning.narrow(-1, half, half), turning.narrow(-1, 0, half)], -1);
        var turned = (turning * cos_T11R).Plus(swapped * sin_T11R);
        return rest == 0 ? turned : cat([turned, x_BTN2H.narrow(-1, _rotaryDimensions, rest)], -1);
    }

    // 0, step, 2 · step, …
    private Tensor Places(int count, int step) => tensor(Enumerable.Range(0, count).Select(place => (float)(place * step)).ToArray(), ScalarType.Float32, CPU).to(device);

    private void Grow(long tokens)
    {
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        var angles_TR = einsum("i,j->ij", Places((int)tokens, 1), Frequencies()).repeat(1, 2);
        _cos_T11R?.Dispose();
        _sin_T11R?.Dispose();
        _cos_T11R = angles_TR.cos().to(elementType).view(tokens, 1, 1, _rotaryDimensions).DetachFromDisposeScope();
        _sin_T11R = angles_TR.sin().to(elementType).view(tokens, 1, 1, _rotaryDimensions).DetachFromDisposeScope();
    }

    // Those that a checkpoint stores, as transformers 4.21 uses them, or those that the base gives, as every other version does.
    private Tensor Frequencies()
    {
        if (config.RotaryFrequencies is { } stored) return tensor(stored.Values.ToArray(), device: device);
        var exponents = Places((_rotaryDimensions + 1) / 2, 2) / tensor((float)_rotaryDimensions, device: device);
        return tensor(1f, device: device) / pow(tensor((float)config.RotaryBase, device: device), exponents);
    }

    public void Dispose()
    {
        _cos_T11R?.Dispose();
        _sin_T11R?.Dispose();
    }
}
