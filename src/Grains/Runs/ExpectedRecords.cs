using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Which records the shards of a step have to compute, made out while they do: the order of a large data set's epoch takes its time, and a grain's
/// thread is not the place for it.
/// </summary>
internal sealed class ExpectedRecords(ComputeThreads compute, RunPlan plan)
{
    private readonly StepRecords _records = new(plan.Data);

    /// <summary>The digests of a step's shards, in shard order.</summary>
    public Task<byte[][]> DigestsAsync(long step) => compute.RunAsync(() =>
    {
        // A step that was abandoned may still be at it.
        lock (_records) return RunLedger.Expected(_records, step, plan.Spec.Shards);
    });
}
