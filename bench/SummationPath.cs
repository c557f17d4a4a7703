using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>What a step came to.</summary>
/// <param name="Tokens">Without padding.</param>
/// <param name="Loss">Mean loss of the counted tokens.</param>
internal readonly record struct SummedStep(long Tokens, double Loss);

/// <summary>One way to turn the micro-batch gradients of a step into one: devices accumulate, push blocks, a partition adds up and applies.</summary>
internal interface ISummationPath : IAsyncDisposable
{
    /// <summary>For people.</summary>
    string Name { get; }

    /// <summary>Takes one optimizer step, from fetching the parameters to applying Adam.</summary>
    Task<SummedStep> StepAsync(long step);

    /// <summary>The most gradients of the whole model that a device has held at a time.</summary>
    int DeviceBuffers { get; }

    /// <summary>The most gradients of the whole model that the partition has held at a time.</summary>
    int PartitionBuffers { get; }

    /// <summary>Overwrites <paramref name="values"/> with a block of the parameters after <paramref name="version"/> steps.</summary>
    Task ReadAsync(int block, long version, Memory<float> values);
}

/// <summary>What both ways do alike.</summary>
internal static class SummedSteps
{
    // As a silo's transfers: enough to keep a partition busy while a device reads the next block.
    private const int BlocksInFlight = 4;

    /// <summary>Moves every block of the model, a few at a time.</summary>
    public static Task EachBlockAsync(RunPlan plan, Func<int, Task> move) => Parallel.ForEachAsync(
        Enumerable.Range(0, plan.Layout.BlockCount), new ParallelOptions { MaxDegreeOfParallelism = BlocksInFlight }, (block, _) => new ValueTask(move(block)));

    /// <summary>The factor on the reduced gradient, and what the step is reported as.</summary>
    public static (double Factor, SummedStep Step) Judge(RunPlan plan, IReadOnlyCollection<ShardTotals> shards, IEnumerable<double> squaredNorms)
    {
        var totals = WindowTotals.SumInShardOrder(
            [.. shards.OrderBy(shard => shard.Shard).Select(shard => new WindowTotals(shard.LossSum, shard.MeanLossSum, shard.LossTokens, shard.MicroBatches, Shards: 1))]);
        double windowFactor = GradientScale.WindowFactor(plan.Scaling, totals, plan.Spec.Shards);
        double norm = GradientClip.GlobalNorm([.. squaredNorms], windowFactor);
        return (
            windowFactor * GradientClip.Factor(norm, plan.Spec.GradientClip),
            new SummedStep(shards.Sum(shard => shard.RealTokens), GradientScale.ReportedLoss(plan.Scaling, totals)));
    }
}
