using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Model;
using Orleans.Concurrency;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// The door to a run's site on one silo: key <c>run/site@silo</c>, called by the run grain. Windows and validations are done one
/// after the other; status, yielding, abandoning and closing interleave. What it works on is the silo's (<see cref="SiteStore"/>).
/// </summary>
[OnNamedSilo, Reentrant]
public sealed class SiteGrain(SiteStore sites, SiteResources silo, IGrainFactory grains, ChannelPeers channel, Peers peers, ClusterMetrics metrics, TimeProvider time) : Grain, ISiteGrain
{
    public Task<WindowReport> AccumulateAsync(WindowRequest request)
    {
        var site = Site;
        return site.InTurnAsync(async () =>
        {
            var devices = Devices(site, request.Devices);
            using var window = site.Begin(request.Fence.Step, request.Shards);
            if (silo.Drain.IsDraining) throw new OperationCanceledException($"{SiloName} is leaving.");
            try
            {
                return await new SiteWork(site, window, request, devices, Transfer, silo.Compute, metrics, time).RunAsync();
            }
            finally
            {
                window.End();
            }
        });
    }

    public Task<ShardRange> YieldAsync(long step) =>
        Task.FromResult(sites.Find(RunId)?.Window is { } window && window.Step == step ? window.YieldHalf() : default);

    public Task AbandonAsync(Fence fence)
    {
        sites.Check(fence);
        if (sites.Find(RunId)?.Window is { IsOver: false } window) window.Abandon();
        return Task.CompletedTask;
    }

    public Task<ValidationReport> ValidateAsync(ValidationRequest request)
    {
        var site = Site;
        return site.InTurnAsync(async () =>
        {
            var devices = Devices(site, request.Devices);
            var parameters = new SiteParameters(Transfer, devices);
            if (request.Checkpoint.Length > 0) await parameters.BringAsync(grains.GetGrain<ICheckpointGrain>(RunId), request.Checkpoint);
            else await parameters.BringAsync(request.Fence, request.Partitions);
            await FaultPoint.ReachAsync(FaultPhase.Validate, request.Fence.Step);
            var losses = await EvaluateAsync(site, devices, request);
            return new ValidationReport([.. losses.Select(loss => loss.LossSum)], [.. losses.Select(loss => loss.LossTokens)]);
        });
    }

    public Task<NonFiniteRecord?> FindNonFiniteAsync(WindowRequest request)
    {
        var site = Site;
        return site.InTurnAsync<NonFiniteRecord?>(async () =>
        {
            var device = Devices(site, request.Devices)[0];
            await new SiteParameters(Transfer, [device]).BringAsync(request.Fence with { Step = request.Fence.Step - 1 }, request.Partitions);
            var position = device.Replica.Plan.Windows.Locate(request.Fence.Step);
            return await device.WatchedAsync(() => device.Replica.FindNonFiniteAsync(request.Shards, position));
        });
    }

    public Task<SiteStatus> GetStatusAsync()
    {
        var window = sites.Find(RunId)?.Window;
        return Task.FromResult(new SiteStatus(window?.Step ?? 0, window is { IsOver: false } ? window.Kept : default));
    }

    public Task KeepAsync(Fence fence, ImmutableArray<int> partitions, ImmutableArray<string> devices)
    {
        sites.Check(fence);
        return sites.Find(RunId) is { } site ? site.KeepAsync(partitions, devices) : Task.CompletedTask;
    }

    public async Task CloseAsync(Fence fence)
    {
        await sites.CloseAsync(fence);
        DeactivateOnIdle();
    }

    // The devices take the batches one after the other; a batch whose device hangs is another's.
    private static async Task<MicroBatchLoss[]> EvaluateAsync(Site site, ImmutableArray<SiteDevice> devices, ValidationRequest request)
    {
        var losses = new MicroBatchLoss[request.EndBatch - request.FirstBatch];
        using var batches = new ShardWindow(request.Fence.Step, new ShardRange(request.FirstBatch, request.EndBatch));
        var stuck = new List<string>();
        for (var working = devices; ; working = [.. devices.Where(device => !device.IsStuck)])
        {
            await Task.WhenAll(working.Select(EvaluateAsync));
            if (batches.Take() is not { } left) return losses;
            // What a device that hangs has given back when the others had nothing to do any more.
            batches.Return(left);
            if (devices.All(device => device.IsStuck)) throw new DevicesStuckException(string.Join("; ", stuck));
        }

        async Task EvaluateAsync(SiteDevice device)
        {
            while (batches.Take() is { } batch)
            {
                try
                {
                    losses[batch - request.FirstBatch] = await device.WatchedAsync(() => device.Replica.EvaluateAsync(request.Set, batch));
                }
                catch (DevicesStuckException exception)
                {
                    stuck.Add(exception.Message);
                    batches.Return(batch);
                    return;
                }
                catch (Exception exception)
                {
                    site.ReleaseAfter(exception, device);
                    throw;
                }
            }
        }
    }

    private static ImmutableArray<SiteDevice> Devices(Site site, ImmutableArray<string> names)
    {
        var devices = site.Working(names);
        return devices.Length > 0 ? devices : throw new StaleMessageException($"Run {site.Context.RunId} has no replica on {string.Join(", ", names)} here; it has to be prepared first.");
    }

    private BlockTransfer Transfer => new(grains, channel, peers, RunId, SiloName, metrics, time);

    private string RunId => this.GetPrimaryKeyString() is var key ? key[..key.LastIndexOf('/')] : "";

    private string SiloName => OnNamedSilo.SiloOf(this.GetPrimaryKeyString());

    private Site Site => sites.Find(RunId) ?? throw new StaleMessageException($"Run {RunId} has nothing on {SiloName}; it has to be prepared first.");
}
