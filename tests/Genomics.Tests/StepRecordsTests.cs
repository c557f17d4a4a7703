using System.Collections.Immutable;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class StepRecordsTests
{
    [Theory]
    [InlineData(1, 1, 1, true, false)]
    [InlineData(3, 2, 4, true, false)]
    [InlineData(5, 3, 2, false, false)]
    [InlineData(40, 2, 10, true, false)]
    [InlineData(1, 3, 2, true, true)]
    [InlineData(3, 4, 1, false, true)]
    [InlineData(40, 2, 10, true, true)]
    public void A_window_is_its_micro_batches_in_order_and_an_epoch_has_each_record_once(int shards, int batchSize, int accumulationSteps, bool shuffle, bool buckets)
    {
        ImmutableArray<int> lengths = [.. Enumerable.Range(0, 50).Select(record => 1 + (record * 7 % 11))];
        var order = new DataOrder(new RecordSets(50), 0.2, 7, shuffle, shards, batchSize, accumulationSteps, buckets ? lengths : default);
        var records = new StepRecords(order);
        for (int epoch = 0; epoch < 6; epoch++)
        {
            var seen = new List<int>();
            for (long step = 1L + (epoch * order.Windows.StepsPerEpoch); step <= (epoch + 1L) * order.Windows.StepsPerEpoch; step++)
            {
                for (int shard = 0; shard < shards; shard++)
                {
                    var range = order.Windows.MicroBatches(shard, order.Windows.Locate(step).Window);
                    var batches = Enumerable.Range(range.First, range.Count).SelectMany(index => records.MicroBatch(shard, epoch, index).ToArray());
                    Assert.Equal(batches, records.Window(step, shard).ToArray());
                    seen.AddRange(records.Window(step, shard).ToArray());
                }
            }

            Assert.Equal(order.Split.Training, seen.Order());
        }
    }

    [Fact]
    public void The_order_is_asked_for_in_any_order_of_epochs()
    {
        var order = new DataOrder(new RecordSets(30), 0, 1, shuffle: true, shardCount: 2, batchSize: 2, accumulationSteps: 2);
        var records = new StepRecords(order);
        long second = order.Windows.StepsPerEpoch + 1;
        var first = records.Window(1, 0).ToArray();
        Assert.NotEqual(first, records.Window(second, 0).ToArray());
        Assert.Equal(first, records.Window(1, 0).ToArray());
        Assert.Equal(order.Sampling.Epoch(0, 1)[..4], records.Window(second, 0).ToArray());
    }
}
