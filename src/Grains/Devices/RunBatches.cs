using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>The micro-batches of a run, each a pure function of its place. Used on one device thread at a time.</summary>
public sealed class RunBatches(RunPlan plan, TokenStore store)
{
    private readonly StepRecords _records = new(plan.Data);

    /// <summary>Micro-batch <paramref name="index"/> of a shard's epoch.</summary>
    public MicroBatch Training(int shard, int epoch, int index) => Assemble(TrainingRecords(shard, epoch, index));

    /// <summary>The records of micro-batch <paramref name="index"/> of a shard's epoch, as places in the data.</summary>
    public ReadOnlySpan<int> TrainingRecords(int shard, int epoch, int index) => _records.MicroBatch(shard, epoch, index).Span;

    /// <summary>One record by itself.</summary>
    public MicroBatch Single(int record) => Assemble([record]);

    /// <summary>Batch <paramref name="index"/> of the validation or the test set, in file order.</summary>
    public MicroBatch Evaluation(EvaluationSet set, int index)
    {
        var records = set == EvaluationSet.Test ? plan.Split.Test : plan.Split.Validation;
        int size = plan.Spec.EvaluationBatchSize, first = index * size;
        return Assemble(records.AsSpan(first, Math.Min(size, records.Length - first)));
    }

    private MicroBatch Assemble(ReadOnlySpan<int> records) => MicroBatch.Assemble(
        store, records, plan.SequenceLimit, plan.Spec.Padding == Padding.MaxLength ? PaddingMode.MaxLength : PaddingMode.Longest);
}
