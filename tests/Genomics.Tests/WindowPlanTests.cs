namespace GenSlmOrleans.Genomics.Tests;

public sealed class WindowPlanTests
{
    private const int AccumulationSteps = 4;

    [Theory]
    [InlineData(1, 1)]
    [InlineData(6, 1)]
    [InlineData(7, 1)]
    [InlineData(8, 1)]
    [InlineData(9, 2)]
    [InlineData(16, 2)]
    [InlineData(17, 3)]
    [InlineData(9, 2, 1, 8)]
    [InlineData(1, 1, 1, 1)]
    [InlineData(3, 5, 33, 7)]
    public void Each_record_is_seen_once_an_epoch(int records, int steps, params int[] otherShards)
    {
        var shards = new[] { records }.Concat(otherShards).ToArray();
        var plan = new WindowPlan([.. shards], batchSize: 2, AccumulationSteps);
        Assert.Equal(steps, plan.StepsPerEpoch);
        for (int shard = 0; shard < shards.Length; shard++)
        {
            var seen = new List<int>();
            for (int window = 0; window < plan.StepsPerEpoch; window++)
            {
                var range = plan.MicroBatches(shard, window);
                Assert.InRange(range.Count, 0, AccumulationSteps);
                // Only a shard's last window is short.
                if (range.Count < AccumulationSteps && window + 1 < plan.StepsPerEpoch) Assert.Equal(0, plan.MicroBatches(shard, window + 1).Count);
                for (int microBatch = range.First; microBatch < range.First + range.Count; microBatch++)
                {
                    var places = plan.Records(shard, microBatch);
                    Assert.InRange(places.Count, 1, 2);
                    seen.AddRange(Enumerable.Range(places.First, places.Count));
                }
            }

            Assert.Equal(Enumerable.Range(0, shards[shard]), seen);
        }
    }

    [Fact]
    public void Locating_a_step_and_counting_it_out_are_inverse()
    {
        var plan = new WindowPlan([25, 24], batchSize: 2, AccumulationSteps);
        long step = 0;
        for (int epoch = 0; epoch < 3; epoch++)
            for (int window = 0; window < 4; window++)
                Assert.Equal(new StepPosition(epoch, window, window == 3), plan.Locate(++step));
        Assert.Equal(new StepPosition(1_000_000, 0, false), plan.Locate(4_000_001));
        Assert.Throws<ArgumentOutOfRangeException>(() => plan.Locate(0));
    }

    [Fact]
    public void A_plan_without_records_or_sizes_is_refused()
    {
        Assert.Throws<ArgumentException>(() => new WindowPlan([], 2, AccumulationSteps));
        Assert.Throws<ArgumentException>(() => new WindowPlan(default, 2, AccumulationSteps));
        Assert.Throws<ArgumentException>(() => new WindowPlan([0, 0], 2, AccumulationSteps));
        Assert.Throws<ArgumentException>(() => new WindowPlan([3, -1], 2, AccumulationSteps));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WindowPlan([3], 0, AccumulationSteps));
        Assert.Throws<ArgumentOutOfRangeException>(() => new WindowPlan([3], 2, 0));
    }

    [Theory]
    [InlineData(3, null, 12)]
    [InlineData(3, 5L, 5)]
    [InlineData(3, 50L, 12)]
    [InlineData(int.MaxValue, null, 4L * int.MaxValue)]
    public void A_run_ends_with_its_epochs_or_at_the_most_steps(int epochs, long? maxSteps, long expected) =>
        Assert.Equal(expected, new WindowPlan([25, 24], batchSize: 2, AccumulationSteps).TotalSteps(epochs, maxSteps));
}
