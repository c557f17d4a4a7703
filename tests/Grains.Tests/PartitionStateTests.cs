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
            Contribute(once, new TreeNode(0, shard), Gradient(shard));
            Contribute(twice, new TreeNode(0, shard), Gradient(shard));
            Contribute(twice, new TreeNode(0, shard), Gradient(shard + 7));
        }

        Assert.Equal(once.Reduce().SquaredNorms, twice.Reduce().SquaredNorms);
        Assert.Equal(twice.Reduce().SquaredNorms, twice.Reduce().SquaredNorms);
        Contribute(twice, new TreeNode(0, 1), Gradient(9));
        once.Apply(Request(8));
        twice.Apply(Request(8));
        twice.Apply(Request(8));
        Assert.Equal((8L, 8L), (once.Version, twice.Version));
        foreach (var kind in Enum.GetValues<BlockKind>())
        {
            using var first = once.Copy(kind, 0, 8);
            using var second = twice.Copy(kind, 0, 8);
            Assert.Equal(first.Values.ToArray(), second.Values.ToArray());
        }
    }

    [Fact]
    public void A_step_is_not_reduced_before_all_shards_have_contributed()
    {
        var state = State(shards: 4);
        Contribute(state, new TreeNode(1, 0), Gradient(0));
        Contribute(state, new TreeNode(0, 3), Gradient(0));
        Assert.Equal([new ShardRange(2, 3)], state.Reduce().Missing);
        Contribute(state, new TreeNode(0, 2), Gradient(0));
        Assert.Single(state.Reduce().SquaredNorms);
        Assert.Equal([0, 1, 2, 3], state.Reduce().Totals.Select(totals => totals.Shard));
    }

    [Fact]
    public void A_contribution_to_another_step_is_refused_and_changes_nothing()
    {
        var (late, expected) = (State(shards: 1), State(shards: 1));
        foreach (var state in (PartitionState[])[late, expected])
        {
            Contribute(state, new TreeNode(0, 0), Gradient(1));
            state.Reduce();
            state.Apply(Request(8));
        }

        Assert.False(late.Contribute(8, new TreeNode(0, 0), Totals(0, 1), 0, Gradient(5)));
        Assert.Equal([new ShardRange(0, 1)], late.Reduce().Missing);
        Assert.Throws<StaleMessageException>(() => late.Copy(BlockKind.Parameters, 0, 7));
    }

    [Fact]
    public void A_skipped_step_changes_the_version_and_no_parameter()
    {
        var state = State(shards: 1);
        using var before = state.Copy(BlockKind.Parameters, 0, 7);
        Contribute(state, new TreeNode(0, 0), Gradient(1));
        state.Reduce();
        state.Apply(Request(8, skip: true));
        using var after = state.Copy(BlockKind.Parameters, 0, 8);
        Assert.Equal(before.Values.ToArray(), after.Values.ToArray());
    }

    [Fact]
    public void Contributions_of_a_device_that_was_lost_and_of_those_that_did_its_work_again_give_the_same_bits()
    {
        // Shards 0-3 of six came as parts, as a whole, or both in any order: what is larger takes the place of its parts.
        (TreeNode Node, int[] Shards)[][] arrivals =
        [
            [(new(2, 0), [0, 1, 2, 3]), (new(1, 2), [4, 5])],
            [(new(1, 1), [2, 3]), (new(2, 0), [0, 1, 2, 3]), (new(0, 4), [4]), (new(1, 2), [4, 5])],
            [(new(0, 5), [5]), (new(0, 0), [0]), (new(0, 1), [1]), (new(2, 0), [0, 1, 2, 3]), (new(1, 0), [0, 1]), (new(0, 4), [4])],
        ];
        var norms = arrivals.Select(arrival =>
        {
            var state = State(shards: 6);
            foreach (var (node, shards) in arrival) Contribute(state, node, TreeSum(shards));
            return state.Reduce().SquaredNorms.Single();
        }).ToArray();
        Assert.Equal([norms[0], norms[0], norms[0]], norms);
    }

    [Fact]
    public void Parameters_from_the_seed_are_the_same_whatever_the_partitions()
    {
        var plan = Plan(shards: 1, ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 });
        Assert.Equal(4, plan.Layout.BlockCount);
        var whole = new PartitionState(plan, new PartitionPlace(0, 0, 4, ["s"]), 0);
        var part = new PartitionState(plan, new PartitionPlace(1, 2, 2, ["s"]), 0);
        whole.FillFromSeed();
        part.FillFromSeed();
        for (int block = 2; block < 4; block++)
        {
            using var expected = whole.Copy(BlockKind.Parameters, block, 0);
            using var found = part.Copy(BlockKind.Parameters, block, 0);
            Assert.Equal(expected.Values.ToArray(), found.Values.ToArray());
        }
    }

    private static PartitionState State(int shards)
    {
        var state = new PartitionState(Plan(shards, ModelPresets.Find("tiny")!), new PartitionPlace(0, 0, 1, ["silo"]), version: 7);
        state.FillFromSeed();
        return state;
    }

    private static RunPlan Plan(int shards, HuggingFaceConfig config) => new(new RunSpec { Data = "x.fasta", Shards = shards }, config, new RecordSets(20));

    private static void Contribute(PartitionState state, TreeNode node, float[] gradient)
    {
        var (first, end) = new ReductionTree(6).Covers(node);
        Assert.True(state.Contribute(8, node, Totals(first, end), 0, gradient));
    }

    private static ShardTotals[] Totals(int first, int end) => [.. Enumerable.Range(first, end - first).Select(shard => new ShardTotals(shard, 1, 1, 1, 1, 1, 0))];

    private static ApplyRequest Request(long step, bool skip = false) => new(new Fence("r", step, 1), 1e-3, 0.5, new StepRecord(new TrainingProgress { Step = step }, new MetricLine(), [], Skipped: skip));

    private static float[] TreeSum(int[] shards)
    {
        if (shards.Length == 1) return Gradient(shards[0]);
        var (left, right) = (TreeSum(shards[..(shards.Length / 2)]), TreeSum(shards[(shards.Length / 2)..]));
        BlockArithmetic.AddInPlace(left, right);
        return left;
    }

    private static float[] Gradient(int shard)
    {
        int count = (int)GptNeoXStateDict.ParameterCount(ModelPresets.Find("tiny")!);
        var buffer = Block.RentBuffer(count);
        for (int i = 0; i < count; i++) buffer[i] = (float)Math.Sin(i + shard) * 0.1f;
        return buffer;
    }
}
