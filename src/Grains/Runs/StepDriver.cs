using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What an optimizer step did.</summary>
/// <param name="TrainLoss">The window's loss, in the run's scaling.</param>
/// <param name="GradientNorm">Global norm of the scaled gradient, before clipping.</param>
/// <param name="RealTokens">Real tokens of all shards' windows.</param>
/// <param name="PaddingTokens">Padding of all shards' windows.</param>
/// <param name="Seconds">How long it took.</param>
internal sealed record StepOutcome(double TrainLoss, double GradientNorm, long RealTokens, long PaddingTokens, double Seconds);

/// <summary>One optimizer step over the whole cluster (DESIGN §7), and one validation.</summary>
internal sealed class StepDriver(IGrainFactory grains, PreparedRun run, ClusterMetrics metrics, TimeProvider time)
{
    /// <exception cref="RunFailedException">The gradient is not finite.</exception>
    public async Task<StepOutcome> StepAsync(long step, double learningRate)
    {
        long start = time.GetTimestamp();
        var fence = run.FenceAt(step);

        // Accumulate: every device its shards; what they push is added up in the partitions.
        var windows = await Task.WhenAll(run.Shares.Select(share =>
            Gpu(share).AccumulateAsync(new WindowRequest(fence, share.FirstShard, share.EndShard, run.Partitions))));
        var shards = windows.SelectMany(window => window.Shards).OrderBy(shard => shard.Shard).ToArray();
        var totals = WindowTotals.SumInShardOrder(shards.Select(TotalsOf).ToArray());
        double phaseEnd = Phase("accumulate", start, 0);

        // Reduce: partitions finish the sum; block norms add up in block order, however the blocks are partitioned.
        var reductions = await Task.WhenAll(run.Partitions.Places.Select(place => Partition(place).ReduceAsync(fence)));
        var squaredNorms = reductions.SelectMany(reduction => reduction.SquaredNorms).ToArray();
        double windowFactor = GradientScale.WindowFactor(run.Plan.Scaling, totals, run.Plan.Spec.Shards);
        double norm = GradientClip.GlobalNorm(squaredNorms, windowFactor);
        if (!double.IsFinite(norm))
            throw new RunFailedException($"Step {step}: the gradient is not finite (norm {norm}); no parameter was changed. A lower learning rate or gradient clipping usually helps; the run resumes from its last checkpoint.");
        phaseEnd = Phase("reduce", start, phaseEnd);

        // Apply: one factor for all, one pass of Adam in every partition.
        double factor = windowFactor * GradientClip.Factor(norm, run.Plan.Spec.GradientClip);
        await Task.WhenAll(run.Partitions.Places.Select(place => Partition(place).ApplyAsync(new ApplyRequest(fence, learningRate, factor))));
        Phase("apply", start, phaseEnd);
        metrics.StepApplied(run.RunId);
        return new StepOutcome(
            GradientScale.ReportedLoss(run.Plan.Scaling, totals),
            norm,
            shards.Sum(shard => shard.RealTokens),
            shards.Sum(shard => shard.PaddingTokens),
            time.GetElapsedTime(start).TotalSeconds);
    }

    /// <summary>
    /// Mean loss of the counted tokens of a set, summed in batch order: of the validation set with the parameters after
    /// <paramref name="step"/>, of the test set with those that are exported.
    /// </summary>
    public async Task<double> EvaluateAsync(long step, EvaluationSet set)
    {
        long start = time.GetTimestamp();
        var parts = ClusterPlacement.ValidationBatches(run.Plan.BatchCount(set), run.Shares);
        var reports = await Task.WhenAll(parts.Select(part =>
            Gpu(part.Device).ValidateAsync(new ValidationRequest(run.FenceAt(step), part.First, part.End, run.Partitions) { Set = set })));
        double lossSum = 0;
        long tokens = 0;
        foreach (var report in reports)
        {
            foreach (double loss in report.LossSums) lossSum += loss;
            tokens += report.LossTokens.Sum();
        }

        Phase("validate", start, 0);
        return tokens == 0 ? double.NaN : lossSum / tokens;
    }

    private double Phase(string name, long start, double from)
    {
        double now = time.GetElapsedTime(start).TotalSeconds;
        metrics.PhaseEnded(run.RunId, name, now - from);
        return now;
    }

    private static WindowTotals TotalsOf(ShardTotals shard) => new(shard.LossSum, shard.MeanLossSum, shard.LossTokens, shard.MicroBatches, Shards: 1);

    private IGpuGrain Gpu(DeviceShare share) => grains.GetGrain<IGpuGrain>(run.GpuKey(share));

    private IParameterServerGrain Partition(PartitionPlace place) => grains.GetGrain<IParameterServerGrain>(place.Key(run.RunId));
}
