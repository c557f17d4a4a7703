using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
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
internal sealed class StepDriver(RunTeam team, RunJournal journal, ClusterMetrics metrics, TimeProvider time)
{
    // With pauses of up to 2 s between them; each is told in the run's events. A large window takes longer than that by itself.
    private static readonly TimeSpan RepeatPatience = TimeSpan.FromMinutes(5);
    private const int FewestTries = 10;

    private readonly Dictionary<string, ShardRange> _nothing = [];
    private readonly RunPlan _plan = team.Plan;
    private readonly DevicePool _pool = team.Pool;
    private readonly PartitionGroup _partitions = team.Partitions;

    private long _shardsReassigned;
    private long _repeatedMicroBatches;

    /// <summary>Shards given to another silo, and micro-batches computed twice by one, since the last call.</summary>
    public (long ShardsReassigned, long RepeatedMicroBatches) TakeCounts()
    {
        var counts = (_shardsReassigned, _repeatedMicroBatches);
        (_shardsReassigned, _repeatedMicroBatches) = (0, 0);
        return counts;
    }

    /// <summary>
    /// Accumulates a step's window. Every silo gets its shards; what they push is added up in the partitions; what turns
    /// out to be missing, because a silo or a holder died, is computed again by those that are left, and nothing else.
    /// </summary>
    /// <param name="fence">Run, step, generation.</param>
    /// <param name="goesOn">An earlier driver had begun the step: only what is neither there nor on its way is computed.</param>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public async Task<WindowOutcome> AccumulateAsync(Fence fence, bool goesOn)
    {
        long start = time.GetTimestamp();
        var expected = team.Expected.DigestsAsync(fence.Step);
        var whole = _partitions.Whole;
        ImmutableArray<ShardRange> shards = [new ShardRange(0, _plan.Spec.Shards)];
        IReadOnlyDictionary<string, ShardRange> inFlight = _nothing;
        if (goesOn) (shards, inFlight) = await FindMissingAsync(fence);
        Reduction reduction;
        var backoff = new Backoff(time, RepeatPatience, FewestTries);
        for (bool again = false; ; again = true)
        {
            await DispatchAsync(fence, shards, inFlight, whole, again);
            double accumulated = Phase("accumulate", start, 0);
            reduction = await _partitions.ReduceAsync(fence);
            Phase("reduce", start, accumulated);
            if (reduction.Missing.IsEmpty) break;
            (shards, inFlight) = (reduction.Missing, _nothing);
            _shardsReassigned += ShardSet.Count(shards);
            journal.Replanned($"step {fence.Step} lacks {string.Join(", ", shards)}; computed again");
            if (!await backoff.PauseAsync())
                throw new RunFailedException($"Step {fence.Step} lacks {string.Join(", ", shards)} after {backoff.Tries} tries in more than {RepeatPatience.TotalMinutes:F0} minutes: what is computed does not reach the parameters. No parameter was changed; the run resumes from its last checkpoint.");
        }

        if (RunLedger.Objection(await expected, fence.Step, [.. reduction.Totals.Select(shard => shard.RecordsDigest)]) is { } objection) throw new RunFailedException(objection);
        var totals = WindowTotals.SumInShardOrder([.. reduction.Totals.Select(TotalsOf)]);
        double windowFactor = GradientScale.WindowFactor(_plan.Scaling, totals, _plan.Spec.Shards);
        // Block norms add up in block order, however the blocks are partitioned.
        double norm = GradientClip.GlobalNorm([.. reduction.SquaredNorms], windowFactor);
        double factor = double.IsFinite(norm) ? windowFactor * GradientClip.Factor(norm, _plan.Spec.GradientClip) : 0;
        return new WindowOutcome(GradientScale.ReportedLoss(_plan.Scaling, totals), norm, factor, reduction.Totals);
    }

    /// <summary>Applies a step: one factor for all, one pass of Adam in every copy of every partition.</summary>
    public async Task ApplyAsync(ApplyRequest request)
    {
        long start = time.GetTimestamp();
        await _partitions.ApplyAsync(request);
        Phase("apply", start, 0);
        metrics.StepApplied(team.RunId);
    }

    /// <summary>The record that makes a step's gradient not finite, null when each by itself is; and whether that could be found out.</summary>
    public async Task<(NonFiniteRecord? Record, bool IsKnown)> FindNonFiniteAsync(Fence fence)
    {
        var backoff = new Backoff(time, RepeatPatience, FewestTries);
        bool failed = false;
        while (true)
        {
            if (_pool.Sites.IsEmpty) await team.ReplenishAsync(mayStop: true);
            var sites = _pool.Sites;
            var spread = ShardPlacement.Spread([new ShardRange(0, _plan.Spec.Shards)], sites);
            var asked = sites.Select((site, i) => (site.Silo, Answers: spread[i].Select(range =>
                _pool.Site(site.Silo).FindNonFiniteAsync(new WindowRequest(fence, range, _partitions.Whole, Again: true, site.Devices))).ToArray())).ToArray();
            NonFiniteRecord? found = null;
            bool lost = false;
            foreach (var (silo, answers) in asked)
            {
                try
                {
                    foreach (var answer in answers) found ??= await answer;
                }
                catch (Exception exception) when (IsOfTheSilo(exception) || (CallFailure.MayBeOfTheSilo(exception) && sites.Length > 1 && !failed))
                {
                    failed |= !IsOfTheSilo(exception);
                    journal.Warn($"{silo} did not find out which record's gradient is not finite: {exception.Message.Split('\n')[0]}");
                    _pool.Lose(silo);
                    lost = true;
                }
            }

            if (found is not null || !lost) return (found, true);
            if (!await backoff.PauseAsync()) return (null, false);
        }
    }

    /// <summary>Mean loss of the counted tokens of the validation set with the parameters after <c>fence.Step</c>, summed in batch order.</summary>
    public Task<double> ValidateAsync(Fence fence) => EvaluateAsync(fence, EvaluationSet.Validation, checkpoint: "");

    /// <summary>The same of the test set, with a checkpoint's parameters.</summary>
    public Task<double> TestAsync(Fence fence, string checkpoint) => EvaluateAsync(fence, EvaluationSet.Test, checkpoint);

    private async Task<double> EvaluateAsync(Fence fence, EvaluationSet set, string checkpoint)
    {
        long start = time.GetTimestamp();
        int count = _plan.BatchCount(set);
        var losses = new double[count];
        var tokens = new long[count];
        var pending = new Queue<(int First, int End)>(BatchRanges(count, _pool.Sites.Length));
        var running = new Dictionary<Task, (string Silo, int First, int End)>();
        var backoff = new Backoff(time, RepeatPatience, FewestTries);
        var failed = new Dictionary<int, string>();
        var stopped = team.Interrupted;
        while (pending.Count > 0 || running.Count > 0)
        {
            foreach (var site in _pool.Sites)
            {
                if (running.Values.Any(work => work.Silo == site.Silo) || !pending.TryDequeue(out var range)) continue;
                var request = new ValidationRequest(fence, range.First, range.End, _partitions.Whole, site.Devices) { Set = set, Checkpoint = checkpoint };
                running[_pool.Site(site.Silo).ValidateAsync(request)] = (site.Silo, range.First, range.End);
            }

            if (running.Count == 0)
            {
                await team.ReplenishAsync(mayStop: true);
                continue;
            }

            var done = await Task.WhenAny(running.Keys.Append(stopped));
            if (done == stopped) throw new StepAbandonedException();
            running.Remove(done, out var work);
            try
            {
                var report = await (Task<ValidationReport>)done;
                report.LossSums.CopyTo(losses, work.First);
                report.LossTokens.CopyTo(tokens, work.First);
                backoff.Restart();
            }
            // The same error on another silo is no fault of a silo's.
            catch (Exception exception) when (IsOfTheSilo(exception) || (CallFailure.MayBeOfTheSilo(exception) && _pool.Sites.Length > 1 && (failed.TryAdd(work.First, work.Silo) || failed[work.First] == work.Silo)))
            {
                pending.Enqueue((work.First, work.End));
                await GiveUpAsync(work.Silo, fence, exception, backoff);
            }
        }

        Phase("validate", start, 0);
        double lossSum = 0;
        foreach (double loss in losses) lossSum += loss;
        return tokens.Sum() is var counted && counted == 0 ? double.NaN : lossSum / counted;
    }

    // Another silo is asked. That the parameters are lost is believed when the holders themselves say so.
    private async Task GiveUpAsync(string silo, Fence fence, Exception exception, Backoff backoff)
    {
        journal.Warn($"{silo} did not evaluate its batches; they go to another: {exception.Message.Split('\n')[0]}");
        _pool.Lose(silo);
        if (exception is PartitionUnreachableException) await _partitions.ConfirmAsync(fence);
        if (!await backoff.PauseAsync()) throw new RunFailedException($"No silo could evaluate after step {fence.Step}, tried {backoff.Tries} times: {exception.Message}");
        await team.UpdateAsync();
    }

    private static bool IsOfTheSilo(Exception exception) =>
        CallFailure.IsLoss(exception) || exception is DevicesStuckException or PartitionUnreachableException;

    private async Task DispatchAsync(Fence fence, ImmutableArray<ShardRange> shards, IReadOnlyDictionary<string, ShardRange> inFlight, PartitionMap whole, bool again)
    {
        var dispatch = new ShardDispatch(_pool, journal, metrics, fence.RunId, _plan.Spec.Shards, new DispatchCalls(
            (site, range) => _pool.Site(site.Silo).AccumulateAsync(new WindowRequest(fence, range, _partitions.StillOf(whole), again, site.Devices)),
            silo => _pool.Site(silo).YieldAsync(fence.Step),
            silo => _pool.Site(silo).AbandonAsync(fence),
            () => team.ReplenishAsync(mayStop: true),
            team.Interrupted,
            _pool.NextPreparedAsync));
        try
        {
            await dispatch.RunAsync(shards, inFlight);
        }
        catch (PartitionUnreachableException exception)
        {
            // The reduction finds out which holders are gone and what is missing.
            journal.Warn($"step {fence.Step}: {exception.Message}");
        }

        _shardsReassigned += dispatch.Reassigned;
        _repeatedMicroBatches += dispatch.Repeated;
    }

    /// <summary>What the partitions lack of a step that an earlier driver began, and which silo is at what.</summary>
    private async Task<(ImmutableArray<ShardRange> Missing, IReadOnlyDictionary<string, ShardRange> InFlight)> FindMissingAsync(Fence fence)
    {
        var reduction = await _partitions.ReduceAsync(fence);
        var inFlight = new Dictionary<string, ShardRange>(StringComparer.Ordinal);
        foreach (var site in _pool.Sites)
        {
            try
            {
                var status = await _pool.Site(site.Silo).GetStatusAsync();
                if (status.Step == fence.Step && status.Shards.Count > 0) inFlight[site.Silo] = status.Shards;
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                _pool.Lose(site.Silo);
            }
        }

        return (reduction.Missing, inFlight);
    }

    // A few ranges for each silo, so that little is lost with one.
    private static IEnumerable<(int First, int End)> BatchRanges(int batchCount, int siloCount)
    {
        int ranges = Math.Min(batchCount, siloCount <= 1 ? 1 : 4 * siloCount);
        for (int i = 0; i < ranges; i++) yield return ((int)((long)batchCount * i / ranges), (int)((long)batchCount * (i + 1) / ranges));
    }

    private double Phase(string name, long start, double from)
    {
        double now = time.GetElapsedTime(start).TotalSeconds;
        metrics.PhaseEnded(team.RunId, name, now - from);
        return now;
    }

    private static WindowTotals TotalsOf(ShardTotals shard) => new(shard.LossSum, shard.MeanLossSum, shard.LossTokens, shard.MicroBatches, Shards: 1);
}
