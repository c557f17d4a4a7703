namespace GenSlmOrleans.Training;

/// <summary>How a window's gradients become one (DESIGN §6).</summary>
public enum GradientScaling
{
    /// <summary>Sum of all token losses over their number: equals one big batch, whatever the lengths.</summary>
    Tokens,

    /// <summary>Mean over the window's micro-batches of each one's mean loss.</summary>
    MicroBatches,

    /// <summary>Each micro-batch's mean loss over the number of accumulation steps, tail windows too, then the mean over shards.</summary>
    AccumulationSteps,
}

/// <summary>What a window, or a shard's part of it, amounts to.</summary>
/// <param name="LossSum">Sum of the token losses.</param>
/// <param name="MeanLossSum">Sum over the micro-batches of each one's mean loss.</param>
/// <param name="LossTokens">Tokens that count in the loss.</param>
/// <param name="MicroBatches">Micro-batches.</param>
/// <param name="Shards">Shards.</param>
public readonly record struct WindowTotals(double LossSum, double MeanLossSum, long LossTokens, int MicroBatches, int Shards)
{
    /// <summary>Adds up shards' totals, given in shard order, in that order.</summary>
    public static WindowTotals SumInShardOrder(ReadOnlySpan<WindowTotals> shards)
    {
        var sum = default(WindowTotals);
        foreach (ref readonly var shard in shards)
        {
            sum = new WindowTotals(
                sum.LossSum + shard.LossSum,
                sum.MeanLossSum + shard.MeanLossSum,
                sum.LossTokens + shard.LossTokens,
                sum.MicroBatches + shard.MicroBatches,
                sum.Shards + shard.Shards);
        }

        return sum;
    }
}

/// <summary>The factors of each scaling: one on a micro-batch's summed loss before backward, one on the reduced gradient.</summary>
public static class GradientScale
{
    /// <summary>What a micro-batch's summed loss is multiplied by; 0 when it has no token that counts.</summary>
    public static float MicroBatchFactor(GradientScaling mode, long lossTokensOfMicroBatch, int accumulationSteps) => mode switch
    {
        _ when lossTokensOfMicroBatch == 0 => 0f,
        GradientScaling.MicroBatches => (float)(1.0 / lossTokensOfMicroBatch),
        GradientScaling.AccumulationSteps => (float)(1.0 / lossTokensOfMicroBatch / accumulationSteps),
        _ => 1f,
    };

    /// <summary>What the gradient, added up over all shards, is multiplied by; 0 when nothing was counted.</summary>
    public static double WindowFactor(GradientScaling mode, in WindowTotals totals, int shardCount) => mode switch
    {
        GradientScaling.MicroBatches => totals.MicroBatches == 0 ? 0 : 1.0 / totals.MicroBatches,
        GradientScaling.AccumulationSteps => 1.0 / shardCount,
        _ => totals.LossTokens == 0 ? 0 : 1.0 / totals.LossTokens,
    };

    /// <summary>The window's loss as reported: per token, or the mean of the micro-batches' means; 0 when nothing was counted.</summary>
    public static double ReportedLoss(GradientScaling mode, in WindowTotals totals) => mode == GradientScaling.Tokens
        ? totals.LossTokens == 0 ? 0 : totals.LossSum / totals.LossTokens
        : totals.MicroBatches == 0 ? 0 : totals.MeanLossSum / totals.MicroBatches;
}
