using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Wakes the cluster's runs whenever this silo sees that one has died, and when it comes up itself: so a run goes on
/// seconds after its driver's silo was killed, and after the whole cluster was, without anybody asking for it. Reminders
/// do the same later, should this fail.
/// </summary>
public sealed class RunWaker(IGrainFactory grains, IClusterMembershipService membership, ILogger<RunWaker> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        int alive = 0;
        await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(stoppingToken))
        {
            int now = snapshot.Members.Values.Count(member => member.Status == SiloStatus.Active);
            bool begins = alive == 0 && now > 0;
            if (begins || now < alive) _ = WakeAsync();
            alive = now;
        }
    }

    private async Task WakeAsync()
    {
        try
        {
            foreach (var run in await grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).ListAsync())
                if (run.Active) await grains.GetGrain<ITrainingRunGrain>(run.RunId).GetStatusAsync(long.MaxValue);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            log.RunsNotWoken(exception);
        }
    }
}
