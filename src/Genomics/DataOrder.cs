using System.Collections.Immutable;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// Everything about the order of a run's data, from the settings that decide it, the number of records and, where it depends on
/// them, their lengths: a pure function, the same for whoever trains and whoever verifies.
/// </summary>
public sealed class DataOrder
{
    /// <param name="records">How many records there are.</param>
    /// <param name="validationFraction">Share of them set aside, when there is no validation set.</param>
    /// <param name="seed">Decides split and order.</param>
    /// <param name="shuffle">A new order each epoch, or file order.</param>
    /// <param name="shardCount">Data shards; more than training records leave some without any.</param>
    /// <param name="batchSize">Records of a micro-batch.</param>
    /// <param name="accumulationSteps">Micro-batches of a shard's window.</param>
    /// <param name="lengths">Tokens of every record, cut to the sequence limit, to have records of similar length in a micro-batch; default: they come as drawn.</param>
    public DataOrder(
        RecordSets records, double validationFraction, ulong seed, bool shuffle, int shardCount, int batchSize, int accumulationSteps, ImmutableArray<int> lengths = default)
    {
        if (!lengths.IsDefault && lengths.Length != records.Total) throw new ArgumentException($"There are {lengths.Length} lengths of {records.Total} records.", nameof(lengths));
        Split = DataSplit.Create(records, validationFraction, seed);
        Buckets = lengths.IsDefault ? null : new LengthBuckets(lengths, batchSize);
        Sampling = new SamplingOrder(Split.Training, shardCount, seed, shuffle, Buckets);
        Windows = new WindowPlan([.. Enumerable.Range(0, shardCount).Select(Sampling.RecordCount)], batchSize, accumulationSteps);
        (Records, ShardCount) = (records, shardCount);
    }

    /// <summary>How many records there are.</summary>
    public RecordSets Records { get; }

    public DataSplit Split { get; }

    /// <summary>What brings records of similar length together; null: nothing does.</summary>
    public LengthBuckets? Buckets { get; }

    public SamplingOrder Sampling { get; }

    public WindowPlan Windows { get; }

    public int ShardCount { get; }
}

/// <summary>
/// The records of micro-batches and windows. Remembers the orders of the epochs last asked for, one a shard, so that a run's
/// steps cost nothing; used on one thread at a time.
/// </summary>
public sealed class StepRecords(DataOrder data)
{
    private readonly Dictionary<int, (int Epoch, int[] Records)> _orders = [];

    /// <summary>The records of micro-batch <paramref name="index"/> of a shard's epoch.</summary>
    public ReadOnlyMemory<int> MicroBatch(int shard, int epoch, int index)
    {
        var range = data.Windows.Records(shard, index);
        return EpochOrder(shard, epoch).AsMemory(range.First, range.Count);
    }

    /// <summary>The records of a shard's window, in the order of its micro-batches; none when the shard has run out.</summary>
    /// <param name="step">The optimizer step, from 1.</param>
    /// <param name="shard">The shard, from 0.</param>
    public ReadOnlyMemory<int> Window(long step, int shard)
    {
        var position = data.Windows.Locate(step);
        var batches = data.Windows.MicroBatches(shard, position.Window);
        if (batches.Count == 0) return default;
        int first = data.Windows.Records(shard, batches.First).First;
        var last = data.Windows.Records(shard, batches.First + batches.Count - 1);
        return EpochOrder(shard, position.Epoch).AsMemory(first..(last.First + last.Count));
    }

    private int[] EpochOrder(int shard, int epoch)
    {
        if (_orders.TryGetValue(shard, out var known) && known.Epoch == epoch) return known.Records;
        var records = data.Sampling.Epoch(shard, epoch);
        _orders[shard] = (epoch, records);
        return records;
    }
}
