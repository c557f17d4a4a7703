using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Sees to it that a run's parameters are held by silos that stay, twice where there are silos enough, whatever its step is at:
/// steps may be longer than a silo that leaves has time, or than one that has come should be idle.
/// </summary>
internal sealed class HandOver(PartitionGroup partitions, DevicePool pool, ClusterView view, Func<Fence> fence, string runId, TimeProvider time, ILogger log)
{
    // A few times: whoever was to take a copy over may die of it too.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    // A silo that is leaving may have to stay until a checkpoint is written.
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>Follows the cluster until cancelled: what a silo that leaves holds goes to another as soon as it says so, what died with one is made again from the copy that is left, and one that comes is given what is lacking.</summary>
#pragma warning disable CA1031 // The next step boundary finds out what is wrong, and says so.
    public async Task FollowAsync(CancellationToken over)
    {
        var changed = view.Changed();
        while (!over.IsCancellationRequested)
        {
            try
            {
                if (view.Silos.Any(silo => silo.IsDraining)) await Task.WhenAny(changed, Task.Delay(LookInterval, time, over));
                else await changed.WaitAsync(over);
                // Before it is looked at: what changes meanwhile is looked at again.
                changed = view.Changed();
                var backoff = new Backoff(time, Patience);
                pool.LookForRoom();
                while (IsDue || partitions.IsFilling)
                {
                    await BalanceAsync();
                    await partitions.FilledAsync(fence());
                    if (!await backoff.PauseAsync(over)) break;
                }

                await LetGoAsync();
                // Before that, whoever begins the run sees to its devices.
                if (partitions.IsHeld) await pool.TakeInAsync();
            }
            catch (OperationCanceledException) when (over.IsCancellationRequested)
            {
                // The run is over.
            }
            catch (Exception exception)
            {
                log.NotHandedOver(exception, runId);
            }
        }
    }
#pragma warning restore CA1031

    /// <summary>Gives silos that stay what others are not to hold any more, or lack.</summary>
    /// <exception cref="PartitionsLostException">A partition has no live holder.</exception>
    public Task BalanceAsync() => partitions.BalanceAsync(fence(), view.Names, [.. pool.Holders.Select(silo => silo.Name)]);

    /// <summary>Lets silos go that are leaving and hold nothing any more that is needed: what their devices have is of no use to them.</summary>
    public Task LetGoAsync() => Task.WhenAll(view.Silos.Where(silo => silo.IsDraining && !partitions.Needs(silo.Name)).Select(async silo =>
    {
        try
        {
            await pool.Site(silo.Name).CloseAsync(fence());
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // It has gone already.
        }
    }));

    // A holder that is not to be one, dead or leaving, or fewer holders than there could be.
    private bool IsDue
    {
        get
        {
            var staying = pool.Holders.Select(silo => silo.Name).ToHashSet(StringComparer.Ordinal);
            int copies = Math.Min(PartitionPlacement.Copies, staying.Count);
            return staying.Count > 0 && partitions.IsHeld
                && partitions.Map.Places.Any(place => place.Holders.Length < copies || place.Holders.Any(holder => !staying.Contains(holder)));
        }
    }
}
