using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// Whether this silo holds what it is to hold: the next one of a rolling update is ended as soon as it is ready, and must not take
/// the last copy of anything with it. A silo that has just come is ready when no run lacks a copy that it could be given; from
/// then on, when all that was placed on it has arrived. Asked for without a call: looked at now and then, and remembered.
/// </summary>
internal sealed class Readiness(IGrainFactory grains, IClusterMembershipService membership, SiteStore sites, TimeProvider time, ILogger<Readiness> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    // A run may lack what this silo has no room for: nobody is helped by waiting for ever.
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private volatile bool _hasSettled;

    /// <summary>Whether it is so, as far as is known.</summary>
    public bool IsReady => _hasSettled && sites.IsFilled;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        long began = time.GetTimestamp();
        using var timer = new PeriodicTimer(Interval, time);
        while (!_hasSettled && await timer.WaitForNextTickAsync(stoppingToken))
            _hasSettled = await NoRunLacksACopyAsync() || time.GetElapsedTime(began) > Longest;
    }

#pragma warning disable CA1031 // Whatever is wrong with the cluster, it is looked at again.
    private async Task<bool> NoRunLacksACopyAsync()
    {
        try
        {
            int copies = Math.Min(PartitionPlacement.Copies, membership.CurrentSnapshot.Members.Values.Count(member => member.Status == SiloStatus.Active));
            foreach (var run in await grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).ListAsync().WaitAsync(Patience, time))
            {
                if (!run.Active) continue;
                var status = await grains.GetGrain<ITrainingRunGrain>(run.RunId).GetStatusAsync(long.MaxValue).WaitAsync(Patience, time);
                // Before it is placed, and while it waits, there is nothing to lose.
                if (status.State is RunState.Running or RunState.Pausing && status.Partitions.Any(place => place.Holders.Length < copies)) return false;
            }

            return true;
        }
        catch (Exception exception)
        {
            logger.NotSettled(exception.Message);
            return false;
        }
    }
#pragma warning restore CA1031
}
