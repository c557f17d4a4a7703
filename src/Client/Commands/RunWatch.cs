using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary>
/// Follows a run and shows it, on a cluster of this console's own or on any other. The run may lose silos meanwhile, its own
/// among them: what it says is asked for again until it is up elsewhere.
/// </summary>
internal sealed class RunWatch(ITrainingRunGrain run, IProgressView view)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly Task Never = new TaskCompletionSource().Task;

    private long _seen;

    /// <summary>The processes the run lives on, where they are this console's own.</summary>
    public SiloEnds Silos { get; init; } = SiloEnds.None;

    /// <summary>How many of the events from before the watch began are shown.</summary>
    public int EarlierEvents { get; init; } = int.MaxValue;

    /// <summary>How long the run may be without an answer before the cluster counts as gone.</summary>
    public TimeSpan Patience { get; init; } = PatientCall.Patience;

    /// <summary>Shows the run until it is over or <paramref name="until"/> is true of it; returns its status then.</summary>
    /// <param name="until">Ends the watch before the run is over.</param>
    /// <param name="pauseAsked">When it completes, the run is asked to pause, and followed until it has; null: it is not.</param>
    /// <param name="cancellation">Ends the watch at once; the run is left alone.</param>
    /// <exception cref="ClusterException">Nothing is left that could answer, or the run has been forgotten.</exception>
    public async Task<RunStatus> FollowAsync(Func<RunStatus, bool> until, Task? pauseAsked, CancellationToken cancellation)
    {
        var asked = pauseAsked ?? Never;
        while (true)
        {
            var status = await NextAsync(cancellation);
            if (status.IsOver || until(status)) return status;
            await Task.WhenAny(asked, Silos.Next, Task.Delay(PollInterval, cancellation));
            cancellation.ThrowIfCancellationRequested();
            Silos.Tell(view);
            if (!asked.IsCompleted) continue;
            view.Note("stopping at the next step boundary; press Ctrl-C again to stop at once");
            await AwaitAsync(PatientCall.TellAsync(run.PauseAsync, cancellation), cancellation);
            asked = Never;
        }
    }

    private async Task<RunStatus> NextAsync(CancellationToken cancellation)
    {
        var answer = PatientCall.AskAsync(() => run.GetStatusAsync(_seen), Patience, cancellation);
        await AwaitAsync(answer, cancellation);
        var status = await answer;
        if (status.State == RunState.Unknown) throw new ClusterException($"The cluster no longer knows the run {status.RunId}: its state is gone. 'genslm resume OUTPUT' goes on with the output folder.");
        bool first = _seen == 0;
        if (!status.Events.IsEmpty) _seen = status.Events[^1].Sequence;
        view.Show(first ? status with { Events = [.. status.Events.TakeLast(EarlierEvents)] } : status);
        return status;
    }

    // Calls are not waited for when no silo is left to answer them.
    private async Task AwaitAsync(Task answer, CancellationToken cancellation)
    {
        while (!answer.IsCompleted)
        {
            await Task.WhenAny(answer, Silos.Next).WaitAsync(cancellation);
            Silos.Tell(view);
        }

        await answer;
    }
}
