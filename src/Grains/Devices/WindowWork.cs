using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// A device's part of one accumulation window: shard after shard, whole subtrees added up here, each sum pushed as soon as
/// it is complete. What the window still covers may shrink from its end while it goes on.
/// </summary>
internal sealed class WindowWork(
    HeldReplica held, ShardWindow window, WindowRequest request, BlockTransfer transfer, ClusterMetrics metrics, PhaseClock phase)
{
    private readonly RunReplica _replica = held.Replica;
    private readonly ReductionAccumulator<GradientBuffer> _sums = new(held.Replica.Plan.Tree, held.Replica.Merge);
    private readonly List<ShardTotals> _totals = [];
    private int _microBatches;
    private int _repeated;

    public async Task<WindowReport> RunAsync()
    {
        await transfer.FetchAsync(_replica, request.Fence with { Step = request.Fence.Step - 1 }, request.Partitions);
        phase.Ended("fetch");
        var position = _replica.Plan.Windows.Locate(request.Fence.Step);
        try
        {
            while (window.Take() is { } shard)
            {
                if (!request.Again && held.Contributed.Contains(shard)) continue;
                await ComputeAsync(shard, position);
                await PushCompleteAsync(shard);
            }

            // What was given up may have left sums that were to become part of larger ones.
            while (_sums.Held.Count > 0)
            {
                var node = _sums.Held.First();
                if (_sums.TryTake(node, out var sum)) await PushAsync(node, sum);
            }
        }
        finally
        {
            foreach (var (_, sum) in _sums.Drain()) await _replica.TakeBackAsync(sum);
        }

        metrics.Recomputed(_replica.RunId, _repeated);
        return new WindowReport(window.Kept, _microBatches, _repeated);
    }

    private async Task ComputeAsync(int shard, StepPosition position)
    {
        await FaultPoint.ReachAsync(FaultPhase.Accumulate, request.Fence.Step);
        var (totals, gradient) = await _replica.AccumulateAsync(shard, position);
        await _replica.OnDeviceAsync(() => _sums.Add(new TreeNode(0, shard), gradient));
        _totals.Add(totals);
        _microBatches += totals.MicroBatches;
        if (!held.Computed.Add(shard)) _repeated += totals.MicroBatches;
        metrics.WindowComputed(_replica.RunId, _replica.DeviceName, totals);
        phase.Ended("compute");
    }

    // A node of the window's cover that ends with this shard has all it will get.
    private async Task PushCompleteAsync(int shard)
    {
        var tree = _replica.Plan.Tree;
        var kept = window.Kept;
        foreach (var node in tree.Cover(kept.First, kept.End))
        {
            if (tree.Covers(node).End != shard + 1) continue;
            if (_sums.TryTake(node, out var sum)) await PushAsync(node, sum);
            return;
        }
    }

    private async Task PushAsync(TreeNode node, GradientBuffer sum)
    {
        var (first, end) = _replica.Plan.Tree.Covers(node);
        try
        {
            await FaultPoint.ReachAsync(FaultPhase.BeforePush, request.Fence.Step);
            await transfer.PushAsync(_replica, request.Fence, node, [.. _totals.Where(totals => totals.Shard >= first && totals.Shard < end)], sum, request.Partitions);
        }
        finally
        {
            await _replica.TakeBackAsync(sum);
        }

        for (int shard = first; shard < end; shard++) held.Contributed.Add(shard);
        phase.Ended("push");
    }
}
