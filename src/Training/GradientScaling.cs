namespace GenSlmOrleans.Training;

public enum GradientScaling { Tokens, MicroBatches, AccumulationSteps }

public readonly record struct WindowTotals(double LossSum, double MeanLossSum, long LossTokens, int MicroBatches, int Shards)
{
    /// <summary>Adds up shards' totals in their order.</summary>
    public static WindowTotals SumInShardOrder(ReadOnlySpan<WindowTotals> shards)
    {
        var sum = default(WindowTotals);
        foreach (var shard in shards)
            sum = new WindowTotals(sum.LossSum + shard.LossSum, sum.MeanLossSum + shard.MeanLossSum, sum.LossTokens + shard.LossTokens, sum.MicroBatches + shard.MicroBatches, sum.Shards + shard.Shards);
        return sum;
    }
}

/// <summary>How a window's gradients become one (DESIGN §6).</summary>
public static class GradientScale
{
    public static float MicroBatchFactor(GradientScaling mode, long lossTokensOfMicroBatch, int accumulationSteps) => lossTokensOfMicroBatch == 0 ? 0 : mode switch
    {
        GradientScaling.MicroBatches => (float)(1.0 / lossTokensOfMicroBatch),
        GradientScaling.AccumulationSteps => (float)(1.0 / lossTokensOfMicroBatch / accumulationSteps),
        _ => 1f,
    };

    public static double WindowFactor(GradientScaling mode, in WindowTotals totals, int shardCount) => mode switch
    {
        GradientScaling.MicroBatches => totals.MicroBatches == 0 ? 0 : 1.0 / totals.MicroBatches,
        GradientScaling.AccumulationSteps => 1.0 / shardCount,
        _ => totals.LossTokens == 0 ? 0 : 1.0 / totals.LossTokens,
    };

    public static double ReportedLoss(GradientScaling mode, in WindowTotals totals) => mode == GradientScaling.Tokens
        ? totals.LossTokens == 0 ? 0 : totals.LossSum / totals.LossTokens
        : totals.MicroBatches == 0 ? 0 : totals.MeanLossSum / totals.MicroBatches;
}
