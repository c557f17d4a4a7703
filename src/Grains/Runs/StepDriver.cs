using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What a step's window came to, before it is applied.</summary>
/// <param name="TrainLoss">The window's loss, in the run's scaling.</param>
/// <param name="GradientNorm">Global norm of the scaled gradient, before clipping.</param>
/// <param name="GradientFactor">Window factor times clip factor.</param>
/// <param name="Shards">What each shard put in, in shard order.</param>
internal sealed record WindowOutcome(double TrainLoss, double GradientNorm, double GradientFactor, ImmutableArray<ShardTotals> Shards)
{
    public bool IsFinite => double.IsFinite(GradientNorm);
}

/// <summary>One optimizer step over the whole cluster (DESIGN §7), and one validation, whoever comes or goes meanwhile.</summary>
internal sealed class StepDriver(
    string runId, RunPlan plan, DevicePool pool, PartitionGroup partitions, Func<Task> replenish, RunJournal journal, ClusterMetrics metrics, TimeProvider time)
{
    private readonly Dictionary<DeviceName, ShardRange> _nothing = [];
    private readonly StepRecords _records = new(plan.Data);

    private long _shardsReassigned;
    private long _repeatedMicroBatches;

    /// <summary>Shards given to another device, and micro-batches computed twice by one, since the last call.</summary>
    public (long ShardsReassigned, long RepeatedMicroBatches) TakeCounts()
    {
        var counts = (_shardsReassigned, _repeatedMicroBatches);
        (_shardsReassigned, _repeatedMicroBatches) = (0, 0);
        return counts;
    }

    /// <summary>
    /// Accumulates a step's window. Every device gets its shards; what they push is added up in the partitions; what turns
    /// out to be missing, because a device or a holder died, is computed again by those that are left, and nothing else.
    /// </summary>
    /// <param name="fence">Run, step, generation.</param>
    /// <param name="goesOn">An earlier driver had begun the step: only what is neither there nor on its way is computed.</param>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public async Task<WindowOutcome> AccumulateAsync(Fence fence, bool goesOn)
    {
        long start = time.GetTimestamp();
        ImmutableArray<ShardRange> shards = [new ShardRange(0, plan.Spec.Shards)];
        IReadOnlyDictionary<DeviceName, ShardRange> inFlight = _nothing;
        if (goesOn) (shards, inFlight) = await FindMissingAsync(fence);
        Reduction reduction;
        for (bool again = false; ; again = true)
        {
            await DispatchAsync(fence, shards, inFlight, again);
            double accumulated = Phase("accumulate", start, 0);
            reduction = await partitions.ReduceAsync(fence);
            Phase("reduce", start, accumulated);
            if (reduction.Missing.IsEmpty) break;
            (shards, inFlight) = (reduction.Missing, _nothing);
            _shardsReassigned += ShardSet.Count(shards);
            journal.Replanned($"step {fence.Step} lacks {string.Join(", ", shards)}; computed again");
        }

        if (RunLedger.Objection(_records, fence.Step, [.. reduction.Totals.Select(shard => shard.RecordsDigest)]) is { } objection) throw new RunFailedException(objection);
        var totals = WindowTotals.SumInShardOrder([.. reduction.Totals.Select(TotalsOf)]);
        double windowFactor = GradientScale.WindowFactor(plan.Scaling, totals, plan.Spec.Shards);
        // Block norms add up in block order, however the blocks are partitioned.
        double norm = GradientClip.GlobalNorm([.. reduction.SquaredNorms], windowFactor);
        double factor = double.IsFinite(norm) ? windowFactor * GradientClip.Factor(norm, plan.Spec.GradientClip) : 0;
        return new WindowOutcome(GradientScale.ReportedLoss(plan.Scaling, totals), norm, factor, reduction.Totals);
    }

    /// <summary>Applies a step: one factor for all, one pass of Adam in every copy of every partition.</summary>
    public async Task ApplyAsync(ApplyRequest request)
    {
        long start = time.GetTimestamp();
        await partitions.ApplyAsync(request);
        Phase("apply", start, 0);
        metrics.StepApplied(runId);
    }

    /// <summary>The record that makes a step's gradient not finite; null when each by itself is.</summary>
    public async Task<NonFiniteRecord?> FindNonFiniteAsync(Fence fence)
    {
        var shares = ShardPlacement.Shares(plan.Spec.Shards, pool.Ready);
        var found = await Task.WhenAll(shares.Select(share => pool.Grain(new DeviceName(share.Silo, share.Device))
            .FindNonFiniteAsync(new WindowRequest(fence, new ShardRange(share.FirstShard, share.EndShard), partitions.Map, Again: true))));
        return found.FirstOrDefault(record => record is not null);
    }

    /// <summary>Mean loss of the counted tokens of the validation set with the parameters after <c>fence.Step</c>, summed in batch order.</summary>
    public Task<double> ValidateAsync(Fence fence) => EvaluateAsync(fence, EvaluationSet.Validation, checkpoint: "");

    /// <summary>The same of the test set, with a checkpoint's parameters.</summary>
    public Task<double> TestAsync(Fence fence, string checkpoint) => EvaluateAsync(fence, EvaluationSet.Test, checkpoint);

    private async Task<double> EvaluateAsync(Fence fence, EvaluationSet set, string checkpoint)
    {
        long start = time.GetTimestamp();
        int count = plan.BatchCount(set);
        var losses = new double[count];
        var tokens = new long[count];
        var pending = new Queue<(int First, int End)>(BatchRanges(count, pool.Ready.Length));
        var running = new Dictionary<Task<ValidationReport>, (DeviceName Device, int First, int End)>();
        while (pending.Count > 0 || running.Count > 0)
        {
            foreach (var device in pool.Ready)
            {
                if (running.Values.Any(work => work.Device == device) || !pending.TryDequeue(out var range)) continue;
                var request = new ValidationRequest(fence, range.First, range.End, partitions.Map) { Set = set, Checkpoint = checkpoint };
                running[pool.Grain(device).ValidateAsync(request)] = (device, range.First, range.End);
            }

            if (running.Count == 0)
            {
                await replenish();
                continue;
            }

            var done = await Task.WhenAny(running.Keys);
            running.Remove(done, out var work);
            try
            {
                var report = await done;
                report.LossSums.CopyTo(losses, work.First);
                report.LossTokens.CopyTo(tokens, work.First);
            }
            catch (PartitionUnreachableException exception)
            {
                throw new PartitionsLostException(exception.Message);
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                pool.Lose(work.Device);
                pending.Enqueue((work.First, work.End));
            }
        }

        Phase("validate", start, 0);
        double lossSum = 0;
        foreach (double loss in losses) lossSum += loss;
        return tokens.Sum() is var counted && counted == 0 ? double.NaN : lossSum / counted;
    }

    private async Task DispatchAsync(Fence fence, ImmutableArray<ShardRange> shards, IReadOnlyDictionary<DeviceName, ShardRange> inFlight, bool again)
    {
        var dispatch = new ShardDispatch(pool, journal, metrics, runId, plan.Spec.Shards);
        try
        {
            await dispatch.RunAsync(
                shards,
                inFlight,
                (device, range) => pool.Grain(device).AccumulateAsync(new WindowRequest(fence, range, partitions.Map, again)),
                device => pool.Grain(device).YieldAsync(fence.Step),
                replenish);
        }
        catch (PartitionUnreachableException)
        {
            // The reduction finds out which holders are gone and what is missing.
        }

        _shardsReassigned += dispatch.Reassigned;
        _repeatedMicroBatches += dispatch.Repeated;
    }

    /// <summary>What the partitions lack of a step that an earlier driver began, and which device is at what.</summary>
    private async Task<(ImmutableArray<ShardRange> Missing, IReadOnlyDictionary<DeviceName, ShardRange> InFlight)> FindMissingAsync(Fence fence)
    {
        var reduction = await partitions.ReduceAsync(fence);
        var inFlight = new Dictionary<DeviceName, ShardRange>();
        foreach (var device in pool.Ready)
        {
            try
            {
                var status = await pool.Grain(device).GetStatusAsync();
                if (status.Step == fence.Step && status.Shards.Count > 0) inFlight[device] = status.Shards;
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                pool.Lose(device);
            }
        }

        return (reduction.Missing, inFlight);
    }

    // A few ranges for each device, so that little is lost with one.
    private static IEnumerable<(int First, int End)> BatchRanges(int batchCount, int deviceCount)
    {
        int ranges = Math.Min(batchCount, deviceCount <= 1 ? 1 : 4 * deviceCount);
        for (int i = 0; i < ranges; i++) yield return ((int)((long)batchCount * i / ranges), (int)((long)batchCount * (i + 1) / ranges));
    }

    private double Phase(string name, long start, double from)
    {
        double now = time.GetElapsedTime(start).TotalSeconds;
        metrics.PhaseEnded(runId, name, now - from);
        return now;
    }

    private static WindowTotals TotalsOf(ShardTotals shard) => new(shard.LossSum, shard.MeanLossSum, shard.LossTokens, shard.MicroBatches, Shards: 1);
}
