using TorchSharp;

namespace GenSlmOrleans.Model;

/// <summary>
/// Scalars that live as long as the process. TorchSharp hands a scalar's native handle to libtorch without keeping the scalar
/// alive: one made for the call, as <c>a + b</c> and <c>a * 2f</c> do, may be finalized while libtorch reads it, and the call
/// fails or computes with garbage. Hence no operator on tensors that makes a scalar is used in this project.
/// </summary>
internal static class LastingScalars
{
    /// <summary>The factor of <c>add</c>'s right side.</summary>
    public static readonly Scalar One = 1;

    /// <summary>The label of a token that does not count in the loss.</summary>
    public static readonly Scalar IgnoredLabel = CausalLoss.Ignored;

    /// <summary>left + right.</summary>
    public static torch.Tensor Plus(this torch.Tensor left, torch.Tensor right) => left.add(right, One);
}
