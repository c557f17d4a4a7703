using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Runs;

namespace GenSlmOrleans.Bench;

/// <summary>What silos answer in a run whose shards compute just what they have to: made before the run begins, since making it is no work of the driver's.</summary>
internal sealed class InstantAnswers
{
    private readonly ImmutableArray<ReductionReport> _partitions;
    private readonly ImmutableArray<ShardTotals>[] _totals;
    private readonly TimeSpan[] _recorded;

    public InstantAnswers(RunSpec spec, HuggingFaceConfig config, DataSummary data)
    {
        Data = data;
        var plan = new RunPlan(spec, config, RunData.Sets(data));
        _partitions = [.. PartitionPlacement.Empty(plan.Layout).Places.Select(place => new ReductionReport(
            [.. Enumerable.Repeat(1.0, place.BlockCount)], [], []) { Checksums = [.. Enumerable.Range(0, place.BlockCount).Select(block => (ulong)block)] })];
        var records = new StepRecords(plan.Data);
        _totals = [.. Enumerable.Range(1, (int)plan.TotalSteps).Select(step => Totals(records, step, spec))];
        _recorded = new TimeSpan[plan.TotalSteps + 1];
    }

    public DataSummary Data { get; }

    /// <summary>What a copy of a partition has of a step.</summary>
    public ReductionReport Reduction(int partition, long step) =>
        partition == 0 ? _partitions[0] with { Totals = _totals[step - 1] } : _partitions[partition];

    /// <summary>The driver has ended a step: called on its thread.</summary>
    public void StepRecorded(long step) => _recorded[step] = ThreadClock.Now;

    /// <summary>The driver's processor time from the end of step <paramref name="first"/> to that of <paramref name="last"/>.</summary>
    public TimeSpan Between(long first, long last) => _recorded[last] - _recorded[first];

    private static ImmutableArray<ShardTotals> Totals(StepRecords records, int step, RunSpec spec) => [.. Enumerable.Range(0, spec.Shards).Select(shard =>
        new ShardTotals(shard, 1000, 10, 1000, spec.AccumulationSteps, 1000, 24)
        {
            RecordsDigest = StepDigest.OfShard(records.Window(step, shard).Span),
            Origin = "silo cpu",
        })];
}
