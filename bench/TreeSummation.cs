using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Grains.Sites;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>
/// The product's own way, with its own classes: a gradient a shard, added along the fixed tree, whole subtrees on the device
/// (<see cref="RunReplica"/>, <see cref="ShardWindow"/>), the rest in the partition (<see cref="PartitionState"/>).
/// Only the messages between them are left out.
/// </summary>
internal sealed class TreeSummation : ISummationPath
{
    private readonly RunPlan _plan;
    private readonly ComputeDevice[] _devices;
    private readonly RunReplica[] _replicas;
    private readonly ImmutableArray<ShardRange> _shares;
    private readonly ComputeThreads _compute = new();
    private readonly PartitionState _partition;
    private readonly Lock _gate = new();

    private TreeSummation(RunPlan plan, ComputeDevice[] devices, RunReplica[] replicas, ImmutableArray<ShardRange> shares)
    {
        (_plan, _devices, _replicas, _shares) = (plan, devices, replicas, shares);
        _partition = new PartitionState(plan.Model, new PartitionPlace(0, 0, plan.Layout.BlockCount, []), version: 0, _compute);
    }

    public string Name => "fixed tree";

    public int DeviceBuffers { get; private set; }

    public int PartitionBuffers { get; private set; }

    /// <param name="plan">The run.</param>
    /// <param name="store">Its data.</param>
    /// <param name="shares">The shards of each device.</param>
    public static async Task<TreeSummation> CreateAsync(RunPlan plan, TokenStore store, ImmutableArray<ShardRange> shares)
    {
        ComputeDevice[] devices = [.. shares.Select(_ => new ComputeDevice("cpu", TimeProvider.System))];
        var replicas = await Task.WhenAll(devices.Select(device => RunReplica.CreateAsync("bench", "bench", device, plan, store)));
        var path = new TreeSummation(plan, devices, replicas, shares);
        await path._partition.FillFromSeedAsync();
        return path;
    }

    public async Task<SummedStep> StepAsync(long step)
    {
        // Which sums a block of the partition holds at a time: those of the tree, by the same rule.
        var held = new ReductionAccumulator<TreeNode>(_plan.Tree, (left, _) => left);
        await Task.WhenAll(_replicas.Select((replica, device) => Task.Run(() => AccumulateAsync(replica, _shares[device], step, held))));
        var report = await _partition.ReduceAsync();
        var (factor, result) = SummedSteps.Judge(_plan, report.Totals, report.SquaredNorms);
        var record = new StepRecord(new TrainingProgress(), new MetricLine(), [], Skipped: false);
        await _partition.ApplyAsync(new ApplyRequest(new Fence("bench", step, 0), _plan.Spec.LearningRate, factor, record));
        return result;
    }

    private async Task AccumulateAsync(RunReplica replica, ShardRange shards, long step, ReductionAccumulator<TreeNode> held)
    {
        await SummedSteps.EachBlockAsync(_plan, async index =>
        {
            using var block = await _partition.CopyAsync(BlockKind.Parameters, index, step - 1);
            await replica.WriteAsync(block, step - 1);
        });
        var position = _plan.Windows.Locate(step);
        using var window = new ShardWindow(step, shards);
        var sums = new ReductionAccumulator<GradientBuffer>(_plan.Tree, replica.Merge);
        var totals = new List<ShardTotals>();
        while (window.Take() is { } shard)
        {
            var (shardTotals, gradient) = await replica.AccumulateAsync(shard, position);
            lock (_gate) DeviceBuffers = Math.Max(DeviceBuffers, sums.Held.Count + 1);
            await replica.OnDeviceAsync(() => sums.Add(new TreeNode(0, shard), gradient));
            totals.Add(shardTotals);
            foreach (var node in _plan.Tree.Cover(shards.First, shards.End))
                if (_plan.Tree.Covers(node).End == shard + 1 && sums.TryTake(node, out var sum)) await PushAsync(replica, step, node, totals, sum, held);
        }
    }

    private async Task PushAsync(RunReplica replica, long step, TreeNode node, List<ShardTotals> totals, GradientBuffer sum, ReductionAccumulator<TreeNode> held)
    {
        var (first, end) = _plan.Tree.Covers(node);
        ShardTotals[] covered = [.. totals.Where(shard => shard.Shard >= first && shard.Shard < end)];
        await SummedSteps.EachBlockAsync(_plan, async index =>
        {
            var buffer = (await replica.ReadAsync(sum, index)).Detach();
            await _partition.ContributeAsync(step, node, covered, index, buffer);
        });
        sum.Return();
        lock (_gate)
        {
            // What has arrived lies beside the sums until it is added.
            PartitionBuffers = Math.Max(PartitionBuffers, held.Held.Count + 1);
            held.Add(node, node);
        }
    }

    public async Task ReadAsync(int block, long version, Memory<float> values)
    {
        using var copy = await _partition.CopyAsync(BlockKind.Parameters, block, version);
        copy.Memory.CopyTo(values);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in _replicas) await replica.DisposeAsync();
        foreach (var device in _devices) device.Dispose();
        _partition.Dispose();
        _compute.Dispose();
    }
}
