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
public sealed class RunWaker(IGrainFactory grains, IClusterMembershipService membership, TimeProvider time, ILogger<RunWaker> log) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        int alive = 0;
        var rounds = new WakingRounds(ActiveRunsAsync, WakeAsync, time, log);
        await foreach (var snapshot in membership.MembershipUpdates.WithCancellation(stoppingToken))
        {
            int now = snapshot.Members.Values.Count(member => member.Status == SiloStatus.Active);
            bool begins = alive == 0 && now > 0;
            if (begins || now < alive) _ = rounds.WakeAllAsync(stoppingToken);
            alive = now;
        }
    }

    private async Task<IEnumerable<string>> ActiveRunsAsync() =>
        (await grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).ListAsync()).Where(run => run.Active).Select(run => run.RunId);

    private bool IsMember(string silo) => membership.CurrentSnapshot.Members.Values.Any(member => member.Status == SiloStatus.Active && member.Name == silo);

    private async Task WakeAsync(string run)
    {
        var status = await grains.GetGrain<ITrainingRunGrain>(run).GetStatusAsync(long.MaxValue);
        // One that has been declared dead may answer for a moment longer, and nobody would wake the run after it.
        if (!status.IsOver && status.Driver.Length > 0 && !IsMember(status.Driver)) throw new NotAMemberException($"Run {run} is still answered for by {status.Driver}, which is gone.");
        // A run is stored before it enters the queue: one that nobody knows was lost with its record, and must not keep devices from others.
        if (status.State == RunState.Unknown) await grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).LeaveAsync(run);
    }
}

/// <summary>Wakes many runs, each by itself: one that does not answer holds up no other, and is asked again with growing pauses for a minute.</summary>
/// <param name="list">The runs to wake.</param>
/// <param name="wake">Wakes one.</param>
/// <param name="time">The clock.</param>
/// <param name="log">Says which run was not woken.</param>
internal sealed class WakingRounds(Func<Task<IEnumerable<string>>> list, Func<string, Task> wake, TimeProvider time, ILogger log)
{
    // One that hangs takes a place for an attempt: there are more than hang at once.
    private const int AtOnce = 64;

    // A call to where something was before the death may get no answer, and is known to get none half a minute later. The next one goes elsewhere.
    private static readonly TimeSpan Attempt = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>One round: of the list, every run. Never throws: what went wrong is in the log.</summary>
    public async Task WakeAllAsync(CancellationToken cancellation)
    {
        IEnumerable<string> runs = [];
        if (await TryAsync(async () => runs = await list().WaitAsync(Attempt, time, cancellation), cancellation) is { } failure)
        {
            log.RunsNotWoken(failure);
            return;
        }

        using var places = new SemaphoreSlim(AtOnce);
        await Task.WhenAll(runs.Select(run => WakeAsync(run, places, cancellation)));
    }

    private async Task WakeAsync(string run, SemaphoreSlim places, CancellationToken cancellation)
    {
        // A place is held while the run is asked, not while it is waited for.
        async Task AskAsync()
        {
            await places.WaitAsync(cancellation);
            try
            {
                await wake(run).WaitAsync(Attempt, time, cancellation);
            }
            finally
            {
                places.Release();
            }
        }

        if (await TryAsync(AskAsync, cancellation) is { } failure && !cancellation.IsCancellationRequested) log.RunNotWoken(failure, run);
    }

#pragma warning disable CA1031 // Whatever is wrong with one, the others are woken.
    private async Task<Exception?> TryAsync(Func<Task> ask, CancellationToken cancellation)
    {
        long start = time.GetTimestamp();
        for (var pause = FirstPause; ; pause *= 2)
        {
            try
            {
                await ask();
                return null;
            }
            catch (Exception exception)
            {
                if (cancellation.IsCancellationRequested || time.GetElapsedTime(start) + pause > Patience) return exception;
            }

            await Task.WhenAny(Task.Delay(pause, time, cancellation));
        }
    }
#pragma warning restore CA1031
}
