using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

public sealed class PartitionStateTests
{
    [Fact]
    public void Repeated_contributions_change_nothing_and_the_version_counts_steps()
    {
        var (once, twice) = (State(shards: 3), State(shards: 3));
        for (int shard = 0; shard < 3; shard++)
        {
            Assert.True(once.Contribute(new TreeNode(0, shard), 0, Gradient(shard)));
            Assert.True(twice.Contribute(new TreeNode(0, shard), 0, Gradient(shard)));
            Assert.False(twice.Contribute(new TreeNode(0, shard), 0, Gradient(shard)));
        }

        Assert.Equal(once.Reduce(), twice.Reduce());
        Assert.Equal(twice.Reduce(), twice.Reduce());
        Assert.False(twice.Contribute(new TreeNode(0, 1), 0, Gradient(1)));
        once.Apply(1e-3, 0.5);
        twice.Apply(1e-3, 0.5);
        Assert.Equal((8L, 8L), (once.Version, twice.Version));
        foreach (var kind in Enum.GetValues<BlockKind>())
        {
            using var first = once.Copy(kind, 0);
            using var second = twice.Copy(kind, 0);
            Assert.Equal(first.Values.ToArray(), second.Values.ToArray());
        }
    }

    [Fact]
    public void A_step_is_not_reduced_before_all_shards_have_contributed()
    {
        var state = State(shards: 4);
        state.Contribute(new TreeNode(1, 0), 0, Gradient(0));
        state.Contribute(new TreeNode(0, 3), 0, Gradient(0));
        Assert.Contains("shards 2-2", Assert.ThrowsAny<AggregateException>(() => state.Reduce()).InnerException!.Message);
        state.Contribute(new TreeNode(0, 2), 0, Gradient(0));
        Assert.Single(state.Reduce());
    }

    [Fact]
    public void Parameters_from_the_seed_are_the_same_whatever_the_partitions()
    {
        var plan = Plan(shards: 1, ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 });
        Assert.Equal(4, plan.Layout.BlockCount);
        var whole = new PartitionState(plan, new PartitionPlace(0, "s", 0, 4), 0);
        var part = new PartitionState(plan, new PartitionPlace(1, "s", 2, 2), 0);
        whole.FillFromSeed();
        part.FillFromSeed();
        for (int block = 2; block < 4; block++)
        {
            using var expected = whole.Copy(BlockKind.Parameters, block);
            using var found = part.Copy(BlockKind.Parameters, block);
            Assert.Equal(expected.Values.ToArray(), found.Values.ToArray());
        }
    }

    private static PartitionState State(int shards)
    {
        var state = new PartitionState(Plan(shards, ModelPresets.Find("tiny")!), new PartitionPlace(0, "silo", 0, 1), version: 7);
        state.FillFromSeed();
        return state;
    }

    private static RunPlan Plan(int shards, HuggingFaceConfig config) => new(new RunSpec { Data = "x.fasta", Shards = shards }, config, new RecordSets(20));

    private static float[] Gradient(int shard)
    {
        int count = (int)GptNeoXStateDict.ParameterCount(ModelPresets.Find("tiny")!);
        var buffer = Block.RentBuffer(count);
        for (int i = 0; i < count; i++) buffer[i] = (float)Math.Sin(i + shard) * 0.1f;
        return buffer;
    }
}
