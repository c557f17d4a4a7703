using GenSlmOrleans.Genomics;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace GenSlmOrleans.Model;

/// <summary>Cross-entropy of token t+1 from token t, as a sum over the tokens that count.</summary>
public static class CausalLoss
{
    internal const long Ignored = -100;

    /// <summary>How many tokens of the micro-batch are predicted and counted.</summary>
    public static long CountTargets(MicroBatch batch, PadTokens padTokens) => padTokens == PadTokens.Count
        ? (long)batch.RecordCount * Math.Max(0, batch.Columns - 1)
        : batch.Lengths.Sum(length => (long)Math.Max(0, length - 1));

    /// <summary>
    /// The summed loss, a scalar in fp32 (torch.nn.functional.cross_entropy, reduction sum) of logits [B, T, V] against
    /// the same ids one step later.
    /// </summary>
    internal static Tensor Sum(Tensor logits_BTV, Tensor ids_BT, Tensor realTokens_BT, PadTokens padTokens)
    {
        long targets = ids_BT.shape[1] - 1, words = logits_BTV.shape[2];
        var labels_BT = ids_BT.narrow(1, 1, targets);
        if (padTokens == PadTokens.Ignore)
            labels_BT = labels_BT.masked_fill(realTokens_BT.narrow(1, 1, targets).logical_not(), LastingScalars.IgnoredLabel);
        var scores = logits_BTV.narrow(1, 0, targets).reshape(-1, words).to(ScalarType.Float32);
        return functional.cross_entropy(scores, labels_BT.reshape(-1), ignore_index: Ignored, reduction: Reduction.Sum);
    }
}
