using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// One device of one silo at work for one run: key <c>run/device@silo</c>. The run grain calls it once a step; status
/// calls interleave. It remembers nothing that cannot be had again: a lost one is replaced by any other device.
/// </summary>
[OnNamedSilo]
public sealed class GpuGrain(SiloDevices devices, TokenStores stores, IGrainFactory grains, ClusterMetrics metrics, TimeProvider time) : Grain, IGpuGrain
{
    private RunReplica? _replica;
    private ComputeDevice? _device;
    private BlockTransfer? _transfer;
    private string _runId = "";
    private long _step;
    private int _firstShard;
    private int _endShard;

    public async Task PrepareAsync(RunContext context)
    {
        if (_replica is not null) return;
        _runId = context.RunId;
        _device = devices.Find(DeviceOf(this.GetPrimaryKeyString()));
        var store = await stores.OpenAsync(context.Spec);
        var plan = new RunPlan(context.Spec, HuggingFaceConfig.Parse(context.ModelConfig), store.Sets);
        _replica = await RunReplica.CreateAsync(_device, plan, store);
        _transfer = new BlockTransfer(grains, _runId, metrics);
        DelayDeactivation(TimeSpan.MaxValue);
    }

    public async Task<WindowReport> AccumulateAsync(WindowRequest request)
    {
        var replica = Replica;
        (_step, _firstShard, _endShard) = (request.Fence.Step, request.FirstShard, request.EndShard);
        var phase = new PhaseClock(metrics, time, _runId, _device!.Name);
        await _transfer!.FetchAsync(replica, request.Fence with { Step = request.Fence.Step - 1 }, request.Partitions);
        phase.Ended("fetch");

        var position = replica.Plan.Windows.Locate(request.Fence.Step);
        var targets = replica.Plan.Tree.Cover(request.FirstShard, request.EndShard);
        var sums = new ReductionAccumulator<GradientBuffer>(replica.Plan.Tree, replica.Merge);
        var totals = ImmutableArray.CreateBuilder<ShardTotals>(request.EndShard - request.FirstShard);
        int target = 0;
        for (int shard = request.FirstShard; shard < request.EndShard; shard++)
        {
            var (shardTotals, gradient) = await replica.AccumulateAsync(shard, position);
            await replica.OnDeviceAsync(() => sums.Add(new TreeNode(0, shard), gradient));
            totals.Add(shardTotals);
            metrics.WindowComputed(_runId, _device.Name, shardTotals);
            phase.Ended("compute");
            if (replica.Plan.Tree.Covers(targets[target]).End != shard + 1) continue;

            // Every node of the cover begins where the one before it ended, so what is held now is this one sum.
            var (_, sum) = sums.Drain().Single();
            await _transfer.PushAsync(replica, request.Fence, targets[target++], sum, request.Partitions);
            await replica.OnDeviceAsync(() => replica.Return(sum));
            phase.Ended("push");
        }

        return new WindowReport(totals.ToImmutable());
    }

    public async Task<ValidationReport> ValidateAsync(ValidationRequest request)
    {
        var replica = Replica;
        if (request.Set == EvaluationSet.Test) await BestWeights.FetchAsync(grains, request.Fence.RunId, replica);
        else await _transfer!.FetchAsync(replica, request.Fence, request.Partitions);
        var losses = await replica.EvaluateAsync(request.Set, request.FirstBatch, request.EndBatch);
        return new ValidationReport([.. losses.Select(loss => loss.LossSum)], [.. losses.Select(loss => loss.LossTokens)]);
    }

    public Task<GpuStatus> GetStatusAsync() => Task.FromResult(
        new GpuStatus(_step, _firstShard, _endShard, _replica?.MicroBatchesDone ?? 0, _device?.Thread.BusyFor.TotalSeconds ?? 0));

    public async Task ReleaseAsync()
    {
        if (_replica is { } replica)
        {
            _replica = null;
            await replica.DisposeAsync();
        }

        DeactivateOnIdle();
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (_replica is { } replica) await replica.DisposeAsync();
        _replica = null;
    }

    private RunReplica Replica => _replica
        ?? throw new StaleMessageException($"GPU grain {this.GetPrimaryKeyString()} holds no replica; it has to be prepared first.");

    private static string DeviceOf(string key) => key[(key.LastIndexOf('/') + 1)..key.LastIndexOf('@')];
}
