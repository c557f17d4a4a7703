using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// One device of one silo at work for one run: key <c>run/device@silo</c>. The run grain calls it once or a few times a
/// step; status, yielding and release interleave. Its replica is the silo's (<see cref="ReplicaStore"/>); all of it can be
/// had again: a lost one is replaced by any other device.
/// </summary>
[OnNamedSilo]
public sealed class GpuGrain(
    SiloDevices devices, ReplicaStore replicas, TokenStores stores, IGrainFactory grains, ClusterMetrics metrics, TimeProvider time) : Grain, IGpuGrain
{
    public async Task PrepareAsync(RunContext context)
    {
        var device = devices.Find(DeviceOf(this.GetPrimaryKeyString()));
        await replicas.GetOrCreateAsync(this.GetPrimaryKeyString(), async () =>
        {
            var store = await stores.OpenAsync(context.Spec);
            var plan = new RunPlan(context.Spec, HuggingFaceConfig.Parse(context.ModelConfig), store.Sets);
            return await RunReplica.CreateAsync(context.RunId, device, plan, store);
        });
    }

    public Task<WindowReport> AccumulateAsync(WindowRequest request)
    {
        var held = Held;
        return held.InTurnAsync(() => AccumulateAsync(held, request));
    }

    public Task<ShardRange> YieldAsync(long step) =>
        Task.FromResult(replicas.Find(this.GetPrimaryKeyString())?.Window is { } window && window.Step == step ? window.YieldHalf() : default);

    public Task<ValidationReport> ValidateAsync(ValidationRequest request)
    {
        var held = Held;
        return held.InTurnAsync(async () =>
        {
            if (request.Checkpoint.Length > 0) await CheckpointWeights.FetchAsync(grains, request.Fence.RunId, held.Replica, request.Checkpoint);
            else await TransferOf(held).FetchAsync(held.Replica, request.Fence, request.Partitions);
            await FaultPoint.ReachAsync(FaultPhase.Validate, request.Fence.Step);
            var losses = await held.Replica.EvaluateAsync(request.Set, request.FirstBatch, request.EndBatch);
            return new ValidationReport([.. losses.Select(loss => loss.LossSum)], [.. losses.Select(loss => loss.LossTokens)]);
        });
    }

    public Task<NonFiniteRecord?> FindNonFiniteAsync(WindowRequest request)
    {
        var held = Held;
        return held.InTurnAsync(async () =>
        {
            await TransferOf(held).FetchAsync(held.Replica, request.Fence with { Step = request.Fence.Step - 1 }, request.Partitions);
            var position = held.Replica.Plan.Windows.Locate(request.Fence.Step);
            return await held.Replica.FindNonFiniteAsync(request.Shards, position);
        });
    }

    public Task<GpuStatus> GetStatusAsync()
    {
        var held = replicas.Find(this.GetPrimaryKeyString());
        var window = held?.Window;
        return Task.FromResult(new GpuStatus(
            window?.Step ?? 0,
            window is { IsExhausted: false } ? window.Kept : default,
            held?.Replica.MicroBatchesDone ?? 0,
            held?.Replica.BusySeconds ?? 0));
    }

    public async Task ReleaseAsync()
    {
        await replicas.ReleaseAsync(this.GetPrimaryKeyString());
        DeactivateOnIdle();
    }

    private async Task<WindowReport> AccumulateAsync(HeldReplica held, WindowRequest request)
    {
        var replica = held.Replica;
        var window = held.Begin(request.Fence.Step, request.Shards);
        var work = new WindowWork(held, window, request, TransferOf(held), metrics, new PhaseClock(metrics, time, replica.RunId, replica.DeviceName));
        try
        {
            return await work.RunAsync();
        }
        finally
        {
            window.Abandon();
        }
    }

    private BlockTransfer TransferOf(HeldReplica held) => new(grains, held.Replica.RunId, OnNamedSilo.SiloOf(this.GetPrimaryKeyString()), metrics);

    private HeldReplica Held => replicas.Find(this.GetPrimaryKeyString())
        ?? throw new StaleMessageException($"GPU grain {this.GetPrimaryKeyString()} holds no replica; it has to be prepared first.");

    private static string DeviceOf(string key) => key[(key.LastIndexOf('/') + 1)..key.LastIndexOf('@')];
}
