using System.Collections.Immutable;
using System.Diagnostics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// A silo's part of one accumulation window: its devices take shard after shard, whole subtrees are added up here, whichever
/// device did their shards, and each sum is pushed as soon as it is complete, or, in host memory, as its last shard's backward completes it. What the window still covers may shrink from its
/// end while it goes on.
/// </summary>
internal sealed class SiteWork(
    Site site, ShardWindow window, WindowRequest request, ImmutableArray<SiteDevice> devices, BlockTransfer transfer, ComputeThreads compute, ClusterMetrics metrics, TimeProvider time)
{
    private readonly RunPlan _plan = devices[0].Replica.Plan;
    private readonly ReductionAccumulator<GradientBuffer> _sums = new(site.Model.Tree, devices[0].Replica.Merge, sum => sum.Return());
    private readonly Turn _adding = new();
    private readonly SortedDictionary<int, ShardTotals> _totals = [];
    private readonly List<string> _setAside = [];
    private int _repeated;
    private bool _sumsAreTaken;

    public async Task<WindowReport> RunAsync()
    {
        var clocks = devices.Select(device => new PhaseClock(metrics, time, site.Context.RunId, device.Replica.DeviceName)).ToArray();
        var parameters = new SiteParameters(transfer, devices);
        await parameters.BringAsync(request.Fence with { Step = request.Fence.Step - 1 }, request.Partitions, window.Abandoned);
        foreach (var clock in clocks) clock.Ended("fetch");
        try
        {
            var position = _plan.Windows.Locate(request.Fence.Step);
            await Task.WhenAll(devices.Select((device, i) => ComputeAsync(device, position, clocks[i])));
            window.Abandoned.ThrowIfCancellationRequested();
            // What a device that hangs has given back when the others had nothing to do any more.
            while (window.Take() is { } left)
            {
                window.Return(left);
                var working = devices.Select((device, i) => (device, i)).Where(one => !one.device.IsStuck).ToArray();
                if (working.Length == 0) throw new DevicesStuckException(string.Join("; ", _setAside));
                await Task.WhenAll(working.Select(one => ComputeAsync(one.device, position, clocks[one.i])));
                window.Abandoned.ThrowIfCancellationRequested();
            }

            await PushRestAsync();
        }
        finally
        {
            if (!_sumsAreTaken) ReturnSums();
        }

        metrics.Recomputed(site.Context.RunId, _repeated);
        return new WindowReport(_repeated, [.. _setAside]);
    }

    private async Task ComputeAsync(SiteDevice device, StepPosition position, PhaseClock clock)
    {
        while (window.Take() is { } shard)
        {
            if (!request.Again && site.Contributed.Contains(shard)) continue;
            await FaultPoint.ReachAsync(FaultPhase.Accumulate, request.Fence.Step);
            var growing = await _adding.TakeAsync(() => Task.FromResult(TryGrow(device, shard)));
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(window.Abandoned);
            var pushing = growing is null ? Task.CompletedTask : PushAsync(growing, ended.Token);
            try
            {
                if (growing is null) await ComputeAsync(device, shard, position, clock);
                else await ComputeAsync(device, shard, growing, position, clock);
            }
            catch (Exception exception)
            {
                if (growing is not null) await BreakOffAsync(growing, pushing, ended);
                if (exception is DevicesStuckException)
                {
                    _setAside.Add(exception.Message);
                    window.Return(shard);
                    return;
                }

                site.ReleaseAfter(exception, device);
                throw;
            }

            if (growing is not null) await PushedAsync(growing, pushing);
            while (await _adding.TakeAsync(() => Task.FromResult(NextComplete())) is var (node, sum)) await device.WatchedAsync(() => PushAsync(device, node, sum));
            clock.Ended("push");
        }
    }

    private async Task ComputeAsync(SiteDevice device, int shard, StepPosition position, PhaseClock clock)
    {
        var (totals, gradient) = await device.WatchedAsync(() => device.Replica.AccumulateAsync(shard, position, window.Abandoned), late => late.Gradient.Return());
        await AddAsync(device, shard, gradient);
        Computed(device, totals, clock);
    }

    private async Task ComputeAsync(SiteDevice device, int shard, GrowingSum growing, StepPosition position, PhaseClock clock)
    {
        Computed(device, await device.WatchedAsync(AccumulateAsync), clock);
        growing.Complete();

        async Task<ShardTotals> AccumulateAsync()
        {
            try
            {
                var (totals, gradient) = await device.Replica.AccumulateAsync(shard, position, Final, window.Abandoned);
                growing.Final(gradient, from: 0);
                return totals;
            }
            finally
            {
                growing.Computed();
            }
        }

        void Final(GradientBuffer gradient, long from)
        {
            growing.Final(gradient, from);
            if (from > 0 && growing.Blocks.IsUnderWay) FaultPoint.Reach(FaultPhase.Backward, request.Fence.Step);
        }
    }

    private void Computed(SiteDevice device, ShardTotals totals, PhaseClock clock)
    {
        _totals[totals.Shard] = totals;
        if (!site.Computed.Add(totals.Shard)) _repeated += totals.MicroBatches;
        metrics.WindowComputed(site.Context.RunId, device.Replica.DeviceName, totals, device.Replica.TakeMicroBatchSeconds());
        clock.Ended("compute");
    }

    // A sum that lacks only this shard, and is pushed as such, leaves while the shard is still in its last backward.
    private GrowingSum? TryGrow(SiteDevice device, int shard)
    {
        if (!device.Replica.ComputesInHostMemory) return null;
        var (tree, kept) = (site.Model.Tree, window.Kept);
        var node = tree.Cover(kept.First, kept.End).First(one => tree.Covers(one) is var (first, end) && first <= shard && shard < end);
        if (tree.Besides(node, shard).Any(other => !_sums.Held.Contains(other))) return null;
        var others = tree.Besides(node, shard).Select(other => (other, _sums.TryTake(other, out var sum) ? sum : throw new UnreachableException()));
        return new GrowingSum(device.Replica, node, [.. others], transfer.StartOf(site.Model.Layout.BlockCount), window.IsTaken, compute);
    }

    // What it was to be added to is as it was.
    private async Task BreakOffAsync(GrowingSum growing, Task pushing, CancellationTokenSource ended)
    {
        growing.Blocks.End();
        await ended.CancelAsync();
        await Task.WhenAny(pushing);
        await _adding.TakeAsync(() => Task.FromResult(growing.Others.All(other => _sums.Add(other.Node, other.Sum))));
    }

    private async Task PushedAsync(GrowingSum growing, Task pushing)
    {
        try
        {
            await pushing;
        }
        finally
        {
            foreach (var (_, sum) in growing.Others) sum.Return();
        }

        Contributed(growing.Node);
    }

    private async Task AddAsync(SiteDevice device, int shard, GradientBuffer gradient)
    {
        var node = new TreeNode(0, shard);
        if (devices.Length > 1)
        {
            // Sums of several devices meet in the host's memory. One that hangs on the way there must not keep the others from adding theirs.
            var sum = await device.WatchedAsync(() => device.Replica.OnDeviceAsync(() => device.Replica.ToHost(gradient)), late => late.Return());
            if (!await _adding.TakeAsync(() => device.Replica.OnDeviceAsync(() => _sums.Add(node, sum)))) sum.Return();
            return;
        }

        try
        {
            if (!await device.WatchedAsync(() => _adding.TakeAsync(() => device.Replica.OnDeviceAsync(() => _sums.Add(node, gradient))), _ => ReturnSums())) gradient.Return();
        }
        catch (DevicesStuckException)
        {
            // It is at them, and may come back.
            _sumsAreTaken = true;
            throw;
        }
    }

    private void ReturnSums()
    {
        foreach (var (_, sum) in _sums.Drain()) sum.Return();
    }

    // A node of the cover of what the window keeps is complete when its sum is held as such: no larger one will come of it.
    private (TreeNode Node, GradientBuffer Sum)? NextComplete()
    {
        var kept = window.Kept;
        foreach (var node in site.Model.Tree.Cover(kept.First, kept.End))
            if (_sums.TryTake(node, out var sum)) return (node, sum);
        return null;
    }

    // What was given up may have left sums that were to become part of larger ones.
    private async Task PushRestAsync()
    {
        while (_sums.Held.Count > 0)
        {
            var node = _sums.Held.First();
            if (!_sums.TryTake(node, out var sum)) continue;
            var device = devices.First(device => !device.IsStuck);
            await device.WatchedAsync(() => PushAsync(device, node, sum));
        }
    }

    private async Task<bool> PushAsync(SiteDevice device, TreeNode node, GradientBuffer sum)
    {
        using (var source = new SumSource(device.Replica, sum, window.IsTaken, compute))
        {
            await FaultPoint.ReachAsync(FaultPhase.BeforePush, request.Fence.Step);
            var blocks = Enumerable.Range(0, site.Model.Layout.BlockCount).ToArray();
            await transfer.EachAsync(blocks, index => PushAsync(node, index, source, window.Abandoned));
        }

        Contributed(node);
        return true;
    }

    private async Task PushAsync(GrowingSum growing, CancellationToken cancellation)
    {
        Task? begun = null;
        try
        {
            await BlockTransfer.EachAsync(growing.Blocks, async index =>
            {
                cancellation.ThrowIfCancellationRequested();
                await (begun ??= FaultPoint.ReachAsync(FaultPhase.BeforePush, request.Fence.Step));
                await growing.AddAsync(index);
                await PushAsync(growing.Node, index, growing, cancellation);
            });
        }
        finally
        {
            growing.Pushed();
        }
    }

    private Task PushAsync(TreeNode node, int index, IBlockSource source, CancellationToken cancellation)
    {
        var (first, end) = site.Model.Tree.Covers(node);
        // What the shards put in belongs to the step, not to each of its blocks: the partition of the first keeps it.
        ImmutableArray<ShardTotals> totals = index == 0 ? [.. _totals.Values.Where(totals => totals.Shard >= first && totals.Shard < end)] : [];
        var contribution = new Contribution(request.Fence, node, new ShardRange(first, end), totals, _plan.Spec.Exchange);
        return transfer.PushAsync(contribution, request.Partitions.Owner(index), index, source, cancellation);
    }

    private void Contributed(TreeNode node)
    {
        var (first, end) = site.Model.Tree.Covers(node);
        for (int shard = first; shard < end; shard++) site.Contributed.Add(shard);
    }
}
