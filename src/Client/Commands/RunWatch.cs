using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary>
/// Follows a run and shows it, on a cluster of this console's own or on any other. The run may lose silos meanwhile, its own
/// among them: what it says is asked for again until it is up elsewhere.
/// </summary>
/// <param name="run">The run.</param>
/// <param name="calls">Repeats what is asked for as long as the cluster is there.</param>
/// <param name="view">Shows it, and what is waited for.</param>
internal sealed class RunWatch(ITrainingRunGrain run, PatientCall calls, IProgressView view)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(200);
    private static readonly Task Never = new TaskCompletionSource().Task;

    private readonly PatientCall _calls = calls.Telling(view.Note);
    private long _seen;
    private Task _asked = Never;
    private Task _pausing = Task.CompletedTask;

    /// <summary>The processes the run lives on, where they are this console's own.</summary>
    public SiloEnds Silos { get; init; } = SiloEnds.None;

    /// <summary>How many of the events from before the watch began are shown.</summary>
    public int EarlierEvents { get; init; } = int.MaxValue;

    /// <summary>Shows the run until it is over or <paramref name="until"/> is true of it; returns its status then.</summary>
    /// <param name="until">Ends the watch before the run is over.</param>
    /// <param name="pauseAsked">When it completes, the run is asked to pause, and followed until it has; null: it is not.</param>
    /// <param name="cancellation">Ends the watch at once; the run is left alone.</param>
    /// <exception cref="ClusterException">Nothing is left that could answer, or the run has been forgotten.</exception>
    public async Task<RunStatus> FollowAsync(Func<RunStatus, bool> until, Task? pauseAsked, CancellationToken cancellation)
    {
        _asked = pauseAsked ?? Never;
        while (true)
        {
            var status = await NextAsync(cancellation);
            if (status.IsOver || until(status)) return status;
            await AwaitAnyAsync(Task.Delay(PollInterval, cancellation), cancellation);
            if (_pausing.IsCompleted) await _pausing;
        }
    }

    private async Task<RunStatus> NextAsync(CancellationToken cancellation)
    {
        var answer = _calls.AskAsync(() => run.GetStatusAsync(_seen), cancellation);
        // Calls are not waited for when no silo is left to answer them.
        while (!answer.IsCompleted) await AwaitAnyAsync(answer, cancellation);
        // The last silo's end says more than that nothing answers.
        if (answer.IsFaulted) Silos.Tell(view);
        var status = await answer;
        if (status.State == RunState.Unknown) throw new ClusterException($"The cluster no longer knows the run {status.RunId}: its state is gone. 'genslm resume OUTPUT' goes on with the output folder.");
        bool first = _seen == 0;
        if (!status.Events.IsEmpty) _seen = status.Events[^1].Sequence;
        view.Show(first ? status with { Events = [.. status.Events.TakeLast(EarlierEvents)] } : status);
        return status;
    }

    // Also while the cluster does not answer, silos that end are told of and who asks for a pause is heard.
    private async Task AwaitAnyAsync(Task what, CancellationToken cancellation)
    {
        await Task.WhenAny(what, Silos.Next, _asked).WaitAsync(cancellation);
        Silos.Tell(view);
        if (!_asked.IsCompleted) return;
        _asked = Never;
        view.Note("stopping at the next step boundary; press Ctrl-C again to stop at once");
        _pausing = calls.Telling(view.Note).TellAsync(run.PauseAsync, cancellation);
    }
}
