using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>The micro-batches of a run, each a pure function of its place. Used on one device thread at a time.</summary>
public sealed class RunBatches(RunPlan plan, TokenStore store)
{
    private readonly Dictionary<int, (int Epoch, int[] Records)> _orders = [];

    /// <summary>Micro-batch <paramref name="index"/> of a shard's epoch.</summary>
    public MicroBatch Training(int shard, int epoch, int index)
    {
        var range = plan.Windows.Records(shard, index);
        return Assemble(EpochOrder(shard, epoch).AsSpan(range.First, range.Count));
    }

    /// <summary>Batch <paramref name="index"/> of the validation or the test set, in file order.</summary>
    public MicroBatch Evaluation(EvaluationSet set, int index)
    {
        var records = set == EvaluationSet.Test ? plan.Split.Test : plan.Split.Validation;
        int first = index * plan.Spec.BatchSize;
        return Assemble(records.AsSpan(first, Math.Min(plan.Spec.BatchSize, records.Length - first)));
    }

    private int[] EpochOrder(int shard, int epoch)
    {
        if (_orders.TryGetValue(shard, out var known) && known.Epoch == epoch) return known.Records;
        var records = plan.Order.Epoch(shard, epoch);
        _orders[shard] = (epoch, records);
        return records;
    }

    private MicroBatch Assemble(ReadOnlySpan<int> records) => MicroBatch.Assemble(
        store, records, plan.SequenceLimit, plan.Spec.Padding == Padding.MaxLength ? PaddingMode.MaxLength : PaddingMode.Longest);
}
