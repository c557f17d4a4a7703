using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A loss is measured on every record of its set, in batches of whatever size.</summary>
public sealed class EvaluationBatchTests
{
    [Theory]
    [InlineData(0, 3)]
    [InlineData(1, 7)]
    [InlineData(5, 2)]
    [InlineData(100, 1)]
    public void Every_record_of_the_set_is_in_one_batch_in_file_order_and_limitValBatches_counts_these_batches(int valBatchSize, int expectedBatches)
    {
        using var folder = new TemporaryFolder();
        // Told apart by their lengths.
        using var store = TokenStoreBuilder.OpenOrBuild(folder.File("data.fasta", Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 14).Select(i => $">r{i}\n{string.Concat(Enumerable.Repeat("ATG", 3 + i))}\n")))), folder.File("cache"));
        var spec = new RunSpec { Data = "data.fasta", BatchSize = 3, ValFraction = 0.5, ValBatchSize = valBatchSize };
        var plan = new RunPlan(spec, ModelPresets.Find("tiny")!, store.Sets);
        Assert.Equal(7, plan.Split.Validation.Length);
        Assert.Equal(expectedBatches, plan.BatchCount(EvaluationSet.Validation));

        var batches = new RunBatches(plan, store);
        int[] lengths = [.. Enumerable.Range(0, expectedBatches).SelectMany(index => batches.Evaluation(EvaluationSet.Validation, index).Lengths)];
        var all = new RunBatches(new RunPlan(spec with { ValBatchSize = 7 }, plan.Config, store.Sets), store);
        Assert.Equal(all.Evaluation(EvaluationSet.Validation, 0).Lengths, lengths);
        Assert.Equal(7, lengths.Distinct().Count());

        Assert.Equal(1, new RunPlan(spec with { LimitValBatches = 1 }, plan.Config, store.Sets).BatchCount(EvaluationSet.Validation));
        Assert.Equal(3, batches.Training(shard: 0, epoch: 0, index: 0).RecordCount);
    }
}
