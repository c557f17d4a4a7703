using System.Collections.Immutable;

namespace GenSlmOrleans.Training;

public readonly record struct StepPosition(int Epoch, int Window, bool IsLastOfEpoch);

public readonly record struct MicroBatchRange(int First, int Count);

public readonly record struct RecordRange(int First, int Count);

/// <summary>Which micro-batches belong to which optimizer step. A shard with fewer records simply has shorter windows, or none, at the end of an epoch.</summary>
public sealed class WindowPlan(ImmutableArray<int> recordsPerShard, int batchSize, int accumulationSteps)
{
    public int StepsPerEpoch { get; } = recordsPerShard.Max(records => Ceiling(Ceiling(records, batchSize), accumulationSteps));

    public int MicroBatchCount(int shard) => Ceiling(recordsPerShard[shard], batchSize);

    /// <summary>Where a step is; steps count from 1, epochs and windows from 0.</summary>
    public StepPosition Locate(long step)
    {
        long index = step - 1;
        int window = (int)(index % StepsPerEpoch);
        return new StepPosition((int)(index / StepsPerEpoch), window, window == StepsPerEpoch - 1);
    }

    public MicroBatchRange MicroBatches(int shard, int window)
    {
        int all = MicroBatchCount(shard), first = Math.Min(all, window * accumulationSteps);
        return new MicroBatchRange(first, Math.Min(accumulationSteps, all - first));
    }

    public RecordRange Records(int shard, int microBatch)
    {
        int first = microBatch * batchSize;
        return new RecordRange(first, Math.Min(batchSize, recordsPerShard[shard] - first));
    }

    public long TotalSteps(int epochs, long? maxSteps)
    {
        long all = (long)epochs * StepsPerEpoch;
        return maxSteps is { } most ? Math.Min(all, most) : all;
    }

    private static int Ceiling(int count, int size) => (count + size - 1) / size;
}
