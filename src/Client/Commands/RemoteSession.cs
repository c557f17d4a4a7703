using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary>Watching a run of a cluster that is not this console's: it goes on when the console goes away, also by Ctrl-C.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Output">Its output folder.</param>
/// <param name="Gateway">What was given as --gateway, for the command to come back with.</param>
internal sealed record RemoteSession(string RunId, string Output, string? Gateway)
{
    private string With => Gateway is null ? "" : $" --gateway {Gateway}";

    /// <summary>The command that comes back to the run.</summary>
    public string ComeBack => $"genslm watch {RunId}{With}";

    /// <summary>Shows the run until it is over.</summary>
    /// <param name="run">Its grain.</param>
    /// <param name="calls">Repeats calls for as long as the cluster is there.</param>
    /// <param name="view">Shows it.</param>
    /// <param name="earlierEvents">How many of the events so far are shown.</param>
    /// <param name="untilStep">Ends the watch when this step has been done.</param>
    /// <param name="json">Whether standard output gets a summary.</param>
    /// <param name="cancellation">Ends the watch.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> WatchAsync(ITrainingRunGrain run, PatientCall calls, IProgressView view, int earlierEvents, long? untilStep, bool json, CancellationToken cancellation)
    {
        using var interruption = new Interruption(cancellation, firstIsOrder: true);
        try
        {
            view.Started(RunId, Output, []);
            var watch = new RunWatch(run, calls, view) { EarlierEvents = earlierEvents };
            var status = await watch.FollowAsync(status => status.Step >= untilStep, pauseAsked: null, interruption.Order);
            await view.EndAsync();
            if (status.IsOver) return await RunReport.PrintAsync(status, $"genslm resume {RunId}{With}", json);
            if (json) await Console.Out.WriteLineAsync(Summary.Json(status));
            await Console.Error.WriteLineAsync($"{RunId} is at step {status.Step} of {status.TotalSteps} and goes on; come back with: {ComeBack}");
            return ExitCode.Done;
        }
        catch (OperationCanceledException) when (interruption.Order.IsCancellationRequested)
        {
            await view.EndAsync();
            await Console.Error.WriteLineAsync($"{RunId} goes on without this console; come back with: {ComeBack}");
            return ExitCode.Interrupted;
        }
        catch
        {
            await view.EndAsync();
            throw;
        }
    }
}
