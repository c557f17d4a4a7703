using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

public sealed class PartitionStateTests : IDisposable
{
    // Four blocks.
    private static readonly HuggingFaceConfig Large = ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 };

    private readonly ComputeThreads _compute = new();

    [Fact]
    public async Task Repeated_contributions_change_nothing_and_the_version_counts_steps()
    {
        var (once, twice) = (await StateAsync(shards: 3), await StateAsync(shards: 3));
        for (int shard = 0; shard < 3; shard++)
        {
            await ContributeAsync(once, new TreeNode(0, shard), Gradient(shard));
            await ContributeAsync(twice, new TreeNode(0, shard), Gradient(shard));
            await ContributeAsync(twice, new TreeNode(0, shard), Gradient(shard + 7));
        }

        Assert.Equal((await once.ReduceAsync()).SquaredNorms, (await twice.ReduceAsync()).SquaredNorms);
        Assert.Equal((await twice.ReduceAsync()).SquaredNorms, (await twice.ReduceAsync()).SquaredNorms);
        await ContributeAsync(twice, new TreeNode(0, 1), Gradient(9));
        await once.ApplyAsync(Request(8));
        await twice.ApplyAsync(Request(8));
        await twice.ApplyAsync(Request(8));
        Assert.Equal((8L, 8L), (once.Version, twice.Version));
        foreach (var kind in Enum.GetValues<BlockKind>())
        {
            using var first = await once.CopyAsync(kind, 0, 8);
            using var second = await twice.CopyAsync(kind, 0, 8);
            Assert.Equal(first.Values.ToArray(), second.Values.ToArray());
        }
    }

    [Fact]
    public async Task A_step_is_not_reduced_before_all_shards_have_contributed()
    {
        var state = await StateAsync(shards: 4);
        await ContributeAsync(state, new TreeNode(1, 0), Gradient(0));
        await ContributeAsync(state, new TreeNode(0, 3), Gradient(0));
        Assert.Equal([new ShardRange(2, 3)], (await state.ReduceAsync()).Missing);
        await ContributeAsync(state, new TreeNode(0, 2), Gradient(0));
        Assert.Single((await state.ReduceAsync()).SquaredNorms);
        Assert.Equal([0, 1, 2, 3], (await state.ReduceAsync()).Totals.Select(totals => totals.Shard));
    }

    [Fact]
    public async Task A_contribution_to_another_step_is_refused_and_changes_nothing()
    {
        var (late, expected) = (await StateAsync(shards: 1), await StateAsync(shards: 1));
        foreach (var state in (PartitionState[])[late, expected])
        {
            await ContributeAsync(state, new TreeNode(0, 0), Gradient(1));
            await state.ReduceAsync();
            await state.ApplyAsync(Request(8));
        }

        Assert.False(await late.ContributeAsync(8, new TreeNode(0, 0), Totals(0, 1), 0, Gradient(5)));
        Assert.Equal([new ShardRange(0, 1)], (await late.ReduceAsync()).Missing);
        await Assert.ThrowsAsync<StaleMessageException>(() => late.CopyAsync(BlockKind.Parameters, 0, 7));
    }

    [Fact]
    public async Task A_skipped_step_changes_the_version_and_no_parameter()
    {
        var state = await StateAsync(shards: 1);
        using var before = await state.CopyAsync(BlockKind.Parameters, 0, 7);
        await ContributeAsync(state, new TreeNode(0, 0), Gradient(1));
        await state.ReduceAsync();
        await state.ApplyAsync(Request(8, skip: true));
        using var after = await state.CopyAsync(BlockKind.Parameters, 0, 8);
        Assert.Equal(before.Values.ToArray(), after.Values.ToArray());
    }

    [Fact]
    public async Task Contributions_of_a_device_that_was_lost_and_of_those_that_did_its_work_again_give_the_same_bits()
    {
        // Shards 0-3 of six came as parts, as a whole, or both in any order: what is larger takes the place of its parts.
        (TreeNode Node, int[] Shards)[][] arrivals =
        [
            [(new(2, 0), [0, 1, 2, 3]), (new(1, 2), [4, 5])],
            [(new(1, 1), [2, 3]), (new(2, 0), [0, 1, 2, 3]), (new(0, 4), [4]), (new(1, 2), [4, 5])],
            [(new(0, 5), [5]), (new(0, 0), [0]), (new(0, 1), [1]), (new(2, 0), [0, 1, 2, 3]), (new(1, 0), [0, 1]), (new(0, 4), [4])],
        ];
        var norms = await Task.WhenAll(arrivals.Select(async arrival =>
        {
            var state = await StateAsync(shards: 6);
            foreach (var (node, shards) in arrival) await ContributeAsync(state, node, TreeSum(shards));
            return (await state.ReduceAsync()).SquaredNorms.Single();
        }));
        Assert.Equal([norms[0], norms[0], norms[0]], norms);
    }

    [Fact]
    public async Task A_copy_is_filled_block_by_block_while_steps_go_on_and_comes_to_the_same_bits()
    {
        var plan = Plan(shards: 1, Large);
        PartitionPlace place = new(0, 0, 4, ["s"]);
        using var whole = new PartitionState(plan, place, 7, _compute);
        await whole.FillFromSeedAsync();
        using var copy = new PartitionState(plan, place, 7, _compute, isEmpty: true);
        Assert.True(await FilledAsync(0) && await FilledAsync(1));

        // A sum that comes for what is not there is refused, and so is who wants to read it.
        Assert.False(await copy.ContributeAsync(8, new TreeNode(0, 0), Totals(0, 1), 2, BlockBuffers.Rent(plan.Layout.BlockSize(2))));
        await Assert.ThrowsAsync<StaleMessageException>(() => copy.CopyAsync(BlockKind.Parameters, 2, 7));
        await StepAsync(8, follows: [0, 1], late: 2);
        Assert.Equal(8, copy.Version);
        Assert.True(await FilledAsync(2));
        await StepAsync(9, follows: [0, 1, 2], late: 3);
        Assert.True(await FilledAsync(3));
        await StepAsync(10, follows: [0, 1, 2, 3], late: null);
        for (int block = 0; block < 4; block++)
        {
            foreach (var kind in Enum.GetValues<BlockKind>())
            {
                using var expected = await whole.CopyAsync(kind, block, 10);
                using var found = await copy.CopyAsync(kind, block, 10);
                Assert.True(expected.Values.SequenceEqual(found.Values), $"{kind} of block {block}");
            }
        }

        async Task StepAsync(long step, int[] follows, int? late)
        {
            for (int block = 0; block < 4; block++)
            {
                var gradient = BlockBuffers.Rent(plan.Layout.BlockSize(block));
                for (int i = 0; i < plan.Layout.BlockSize(block); i++) gradient.Values[i] = ((i + block + step) % 17) - 8;
                Assert.True(await whole.ContributeAsync(step, new TreeNode(0, 0), Totals(0, 1), block, gradient));
            }

            await whole.ReduceAsync();
            Assert.Equal(follows, copy.Follow(step));
            // It would be what is before the step, whose gradient it has not taken.
            if (late is { } block3) Assert.False(await FilledAsync(block3));
            foreach (int block in follows) await copy.PutReducedAsync(step, block, whole.CopyReduced(block, step).Detach());
            copy.TakeTotals(step, Totals(0, 1));
            var report = await copy.ReduceAsync();
            Assert.Equal(late is null, report.Missing.IsEmpty);
            if (late is null) Assert.Equal((await whole.ReduceAsync()).Checksums, report.Checksums);
            await Task.WhenAll(whole.ApplyAsync(Request(step)), copy.ApplyAsync(Request(step)));
        }

        async Task<bool> FilledAsync(int block)
        {
            long version = copy.Version;
            foreach (var kind in Enum.GetValues<BlockKind>())
            {
                using var values = await whole.CopyAsync(kind, block, version);
                await copy.PutAsync(kind, version, values);
            }

            return copy.TryEndFilling(block, version);
        }
    }

    [Fact]
    public async Task Parameters_from_the_seed_are_the_same_whatever_the_partitions()
    {
        var plan = Plan(shards: 1, Large);
        Assert.Equal(4, plan.Layout.BlockCount);
        var whole = new PartitionState(plan, new PartitionPlace(0, 0, 4, ["s"]), 0, _compute);
        var part = new PartitionState(plan, new PartitionPlace(1, 2, 2, ["s"]), 0, _compute);
        await whole.FillFromSeedAsync();
        await part.FillFromSeedAsync();
        for (int block = 2; block < 4; block++)
        {
            using var expected = await whole.CopyAsync(BlockKind.Parameters, block, 0);
            using var found = await part.CopyAsync(BlockKind.Parameters, block, 0);
            Assert.Equal(expected.Values.ToArray(), found.Values.ToArray());
        }
    }

    public void Dispose() => _compute.Dispose();

    private async Task<PartitionState> StateAsync(int shards)
    {
        var state = new PartitionState(Plan(shards, ModelPresets.Find("tiny")!), new PartitionPlace(0, 0, 1, ["silo"]), version: 7, _compute);
        await state.FillFromSeedAsync();
        return state;
    }

    private static ModelPlan Plan(int shards, HuggingFaceConfig config) => new(new RunSpec { Data = "x.fasta", Shards = shards }, config);

    private static async Task ContributeAsync(PartitionState state, TreeNode node, NativeVector gradient)
    {
        var (first, end) = new ReductionTree(6).Covers(node);
        Assert.True(await state.ContributeAsync(8, node, Totals(first, end), 0, gradient));
    }

    private static ShardTotals[] Totals(int first, int end) => [.. Enumerable.Range(first, end - first).Select(shard => new ShardTotals(shard, 1, 1, 1, 1, 1, 0))];

    private static ApplyRequest Request(long step, bool skip = false) => new(new Fence("r", step, 1), 1e-3, 0.5, new StepRecord(new TrainingProgress { Step = step }, new MetricLine(), [], Skipped: skip));

    private static NativeVector TreeSum(int[] shards)
    {
        if (shards.Length == 1) return Gradient(shards[0]);
        var (left, right) = (TreeSum(shards[..(shards.Length / 2)]), TreeSum(shards[(shards.Length / 2)..]));
        BlockArithmetic.AddInPlace(left.Values, right.Values);
        return left;
    }

    private static NativeVector Gradient(int shard)
    {
        int count = (int)GptNeoXStateDict.ParameterCount(ModelPresets.Find("tiny")!);
        var buffer = BlockBuffers.Rent(count);
        for (int i = 0; i < count; i++) buffer.Values[i] = (float)Math.Sin(i + shard) * 0.1f;
        return buffer;
    }
}
