using System.Collections.Immutable;
using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Sites;
using GenSlmOrleans.Model;
using GenSlmOrleans.Testing;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A sum that leaves while its last shard is still in its last backward: to the bits of one that leaves after it, and nothing stays behind.</summary>
public sealed class GrowingSumTests : IDisposable
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    // Four blocks, so that some are final before others.
    private static readonly HuggingFaceConfig s_config = ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 };

    private readonly TemporaryFolder _folder = new();
    private readonly ComputeThreads _compute = new();
    private readonly ComputeDevice _device = new("cpu", TimeProvider.System);
    private TokenStore? _store;

    [Theory]
    [InlineData(1, 0, Precision.Fp32)]
    [InlineData(2, 0, Precision.Fp32)]
    [InlineData(2, 1, Precision.Fp32)]
    [InlineData(3, 2, Precision.Fp32)]
    [InlineData(4, 1, Precision.Fp32)]
    [InlineData(7, 3, Precision.Fp32)]
    [InlineData(1, 0, Precision.Bf16)]
    [InlineData(7, 3, Precision.Bf16)]
    public async Task Blocks_leave_during_the_last_backward_with_the_bits_of_the_whole_sum(int shards, int last, Precision exchange)
    {
        await using var replica = await ReplicaAsync(shards, exchange);
        var position = replica.Plan.Windows.Locate(1);
        var expected = await WholeAsync(replica, position);
        int blocks = replica.Plan.Layout.BlockCount;
        var growing = Growing(replica, await OthersAsync(replica, position, last));
        Assert.Equal(replica.Plan.Tree.Root, growing.Node);
        var taken = new Dictionary<int, float[]>();
        using var early = new ManualResetEventSlim();
        var computing = ComputeAsync(replica, growing, position, last, from =>
        {
            // On the device's thread, in the middle of its backward: it goes on when somebody has had a block.
            if (from == 0 || from > ParameterLayout.BlockOffset(blocks - 1) || early.IsSet) return;
            Assert.True(early.Wait(s_deadline));
        });
        while (await growing.Blocks.TakeAsync().WaitAsync(s_deadline) is { } index)
        {
            await growing.AddAsync(index);
            using var copy = await growing.CopyAsync(index);
            taken.Add(index, copy.Values.ToArray());
            Assert.Equal(index == 0, taken.Count == blocks);
            early.Set();
            if (taken.Count == blocks - 1)
            {
                await computing;
                growing.Complete();
            }
        }

        growing.Pushed();
        for (int index = 0; index < blocks; index++) Assert.Equal(expected[index], taken[index]);
        Assert.Equal(growing.Others.Length, replica.GradientsOut);
    }

    [Fact]
    public async Task One_whose_computation_is_broken_off_hands_out_no_more_and_gives_everything_back()
    {
        await using var replica = await ReplicaAsync(shards: 2);
        var position = replica.Plan.Windows.Locate(1);
        foreach (bool beginsToPush in (bool[])[false, true])
        {
            var growing = Growing(replica, await OthersAsync(replica, position, last: 1));
            var computing = ComputeAsync(replica, growing, position, shard: 1, from =>
            {
                if (beginsToPush) throw new InvalidOperationException("The device fails in the middle of its backward.");
            }, new CancellationToken(canceled: !beginsToPush));
            await Assert.ThrowsAnyAsync<Exception>(() => computing);
            growing.Blocks.End();
            Assert.Null(await growing.Blocks.TakeAsync());
            Assert.Equal(beginsToPush ? 2 : 1, replica.GradientsOut);
            growing.Pushed();
            Assert.Equal(1, replica.GradientsOut);
            growing.Others.Single().Sum.Return();
        }
    }

    [Fact]
    public async Task A_block_that_is_still_read_keeps_its_gradient_out()
    {
        await using var replica = await ReplicaAsync(shards: 1);
        var growing = Growing(replica, []);
        await ComputeAsync(replica, growing, replica.Plan.Windows.Locate(1), shard: 0, _ => { });
        growing.Complete();
        var lent = growing.TryLend(2)!;
        growing.Pushed();
        Assert.Equal(1, replica.GradientsOut);
        lent.Dispose();
        Assert.Equal(0, replica.GradientsOut);
    }

    [Fact]
    public async Task One_that_goes_on_when_nobody_waits_for_it_any_more_gives_its_gradient_back()
    {
        await using var replica = await ReplicaAsync(shards: 1);
        var growing = Growing(replica, []);
        growing.Pushed();
        await ComputeAsync(replica, growing, replica.Plan.Windows.Locate(1), shard: 0, _ => { });
        Assert.Null(await growing.Blocks.TakeAsync());
        Assert.Equal(0, replica.GradientsOut);
    }

    [Fact]
    public async Task Blocks_are_taken_as_they_become_final_the_next_behind_the_silos_place_first()
    {
        var blocks = new FinalBlocks(count: 6, start: 4);
        var waiting = blocks.TakeAsync();
        Assert.False(waiting.IsCompleted);
        blocks.ReleaseFrom(5);
        Assert.Equal(5, await waiting.WaitAsync(s_deadline));
        blocks.ReleaseFrom(1);
        blocks.ReleaseFrom(3);
        Assert.Equal([4, 1, 2], [await blocks.TakeAsync(), await blocks.TakeAsync(), await blocks.TakeAsync()]);
        blocks.ReleaseFrom(0);
        Assert.Equal([0, 3, null], [await blocks.TakeAsync(), await blocks.TakeAsync(), await blocks.TakeAsync()]);
    }

    // As a site takes part in it.
    private static async Task ComputeAsync(RunReplica replica, GrowingSum growing, StepPosition position, int shard, Action<long> told, CancellationToken cancellation = default)
    {
        try
        {
            var (_, gradient) = await replica.AccumulateAsync(shard, position, (gradient, from) =>
            {
                growing.Final(gradient, from);
                told(from);
            }, cancellation);
            growing.Final(gradient, from: 0);
        }
        finally
        {
            growing.Computed();
        }
    }

    private GrowingSum Growing(RunReplica replica, ImmutableArray<(TreeNode, GradientBuffer)> others) => new(replica, replica.Plan.Tree.Root, others, start: 1, isLast: true, _compute);

    // The sums that lack only the last shard.
    private static async Task<ImmutableArray<(TreeNode Node, GradientBuffer Sum)>> OthersAsync(RunReplica replica, StepPosition position, int last)
    {
        var tree = replica.Plan.Tree;
        var sums = new ReductionAccumulator<GradientBuffer>(tree, replica.Merge);
        for (int shard = 0; shard < tree.ShardCount; shard++)
            if (shard != last) sums.Add(new TreeNode(0, shard), (await replica.AccumulateAsync(shard, position)).Gradient);
        ImmutableArray<(TreeNode, GradientBuffer)> others = [.. tree.Besides(tree.Root, last).Select(node => (node, sums.TryTake(node, out var sum) ? sum : throw new InvalidOperationException($"{node}")))];
        Assert.Empty(sums.Held);
        return others;
    }

    private static async Task<float[][]> WholeAsync(RunReplica replica, StepPosition position)
    {
        var sums = new ReductionAccumulator<GradientBuffer>(replica.Plan.Tree, replica.Merge);
        for (int shard = 0; shard < replica.Plan.Tree.ShardCount; shard++) sums.Add(new TreeNode(0, shard), (await replica.AccumulateAsync(shard, position)).Gradient);
        var whole = sums.TakeRoot();
        var blocks = new float[replica.Plan.Layout.BlockCount][];
        for (int index = 0; index < blocks.Length; index++)
        {
            using var block = await replica.ReadAsync(whole, index);
            blocks[index] = block.Values.ToArray();
        }

        whole.Return();
        return blocks;
    }

    private async Task<RunReplica> ReplicaAsync(int shards, Precision exchange = Precision.Fp32)
    {
        var records = string.Concat(Enumerable.Range(0, 2 * shards).Select(i => $">r{i}\nATGGGC{"ACGT"[i % 4]}CCATC{"ACGT"[i / 4 % 4]}ACGAAATG\n"));
        _store = TokenStoreBuilder.OpenOrBuild(_folder.File("data.fasta", Encoding.ASCII.GetBytes(records)), _folder.File("cache"));
        var plan = new RunPlan(new RunSpec { Data = "data.fasta", Shards = shards, BatchSize = 1, AccumulationSteps = 2, ValFraction = 0, Threads = 1, Exchange = exchange }, s_config, _store.Sets);
        var replica = await RunReplica.CreateAsync("run", "silo", _device, plan, _store);
        for (int index = 0; index < plan.Layout.BlockCount; index++)
        {
            using var block = Block.Rent(index, plan.Layout.BlockSize(index));
            ParameterInitialization.Fill(plan.Config, 3, ParameterLayout.BlockOffset(index), block.Values);
            await replica.WriteAsync(block, 0);
        }

        return replica;
    }

    public void Dispose()
    {
        _store?.Dispose();
        _device.Dispose();
        _compute.Dispose();
        _folder.Dispose();
    }
}
