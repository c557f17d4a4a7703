using System.Collections.Immutable;

namespace GenSlmOrleans.Genomics;

/// <summary>Where a step is: epoch and window count from 0.</summary>
public readonly record struct StepPosition(int Epoch, int Window, bool IsLastOfEpoch);

/// <summary>Micro-batches of a shard's epoch.</summary>
public readonly record struct MicroBatchRange(int First, int Count);

/// <summary>Places in the order of a shard's epoch.</summary>
public readonly record struct RecordRange(int First, int Count);

/// <summary>
/// Which records go into which micro-batch and optimizer step: a pure function of the shards' sizes. The last micro-batch and
/// the last window of an epoch may be shorter; a shard that has run out contributes nothing to the windows that are left.
/// </summary>
/// <param name="recordsPerShard">How many records each shard has; at least one shard has one.</param>
/// <param name="batchSize">Records of a micro-batch, at least 1.</param>
/// <param name="accumulationSteps">Micro-batches of a shard's window, at least 1.</param>
public sealed class WindowPlan(ImmutableArray<int> recordsPerShard, int batchSize, int accumulationSteps)
{
    /// <summary>Optimizer steps of an epoch: as many as the largest shard needs.</summary>
    public int StepsPerEpoch { get; } = CountSteps(recordsPerShard, batchSize, accumulationSteps);

    /// <summary>Where a step is; steps count from 1.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="step"/> is below 1.</exception>
    public StepPosition Locate(long step)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        int window = (int)((step - 1) % StepsPerEpoch);
        return new StepPosition((int)((step - 1) / StepsPerEpoch), window, window == StepsPerEpoch - 1);
    }

    /// <summary>Which step is there: the inverse of <see cref="Locate"/>.</summary>
    public long StepAt(StepPosition position) => ((long)position.Epoch * StepsPerEpoch) + position.Window + 1;

    /// <summary>A shard's micro-batches in a window; none when it has run out.</summary>
    public MicroBatchRange MicroBatches(int shard, int window)
    {
        int all = Ceiling(recordsPerShard[shard], batchSize);
        int first = (int)Math.Min(all, (long)window * accumulationSteps);
        return new MicroBatchRange(first, Math.Min(accumulationSteps, all - first));
    }

    /// <summary>A micro-batch's records, as places in the order of the shard's epoch.</summary>
    public RecordRange Records(int shard, int microBatch)
    {
        int first = microBatch * batchSize;
        return new RecordRange(first, Math.Min(batchSize, recordsPerShard[shard] - first));
    }

    /// <summary>Optimizer steps of a run.</summary>
    public long TotalSteps(int epochs, long? maxSteps) => Math.Min((long)epochs * StepsPerEpoch, maxSteps ?? long.MaxValue);

    private static int CountSteps(ImmutableArray<int> recordsPerShard, int batchSize, int accumulationSteps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(accumulationSteps, 1);
        if (recordsPerShard.IsDefaultOrEmpty || recordsPerShard.Min() < 0 || recordsPerShard.Max() == 0)
            throw new ArgumentException("There must be at least one shard with a record, and none with fewer than 0.", nameof(recordsPerShard));
        return Ceiling(Ceiling(recordsPerShard.Max(), batchSize), accumulationSteps);
    }

    private static int Ceiling(int count, int size) => (int)(((long)count + size - 1) / size);
}
