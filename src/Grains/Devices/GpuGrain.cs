using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// One device of one silo at work for one run: key <c>run/device@silo</c>, called by the run grain. Its replica is the site's;
/// all of it can be had again: a lost one is replaced by any other device.
/// </summary>
[OnNamedSilo]
public sealed class GpuGrain(SiteStore sites) : Grain, IGpuGrain
{
    public Task PrepareAsync(Fence fence, RunContext context) => sites.Open(fence, context).PrepareAsync(DeviceName);

    public Task<GpuStatus> GetStatusAsync()
    {
        var device = sites.Find(RunId)?.Device(DeviceName);
        return Task.FromResult(new GpuStatus(device?.Replica.MicroBatchesDone ?? 0, device?.Replica.BusySeconds ?? 0, device?.IsStuck ?? false));
    }

    public async Task ReleaseAsync(Fence fence)
    {
        sites.Check(fence);
        if (sites.Find(RunId) is { } site) await site.ReleaseAsync(DeviceName);
        DeactivateOnIdle();
    }

    private string RunId => this.GetPrimaryKeyString() is var key ? key[..key.LastIndexOf('/')] : "";

    private string DeviceName => this.GetPrimaryKeyString() is var key ? key[(key.LastIndexOf('/') + 1)..key.LastIndexOf('@')] : "";
}
