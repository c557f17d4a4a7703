using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Commands;

/// <summary>How a run that is over is reported, and what the console then ends with.</summary>
internal static class RunReport
{
    /// <param name="status">Of the run that is over.</param>
    /// <param name="goOn">The command that goes on with a run that was paused.</param>
    /// <param name="json">Whether standard output gets the summary.</param>
    /// <returns>The exit code.</returns>
    public static async Task<int> PrintAsync(RunStatus status, string goOn, bool json)
    {
        if (json) await Console.Out.WriteLineAsync(Summary.Json(status));
        await Console.Error.WriteLineAsync(status.State switch
        {
            RunState.Completed => Summary.Text(status),
            RunState.Paused => $"Stopped after step {status.Step} of {status.TotalSteps}. Go on with: {goOn}",
            RunState.Cancelled => $"Cancelled after step {status.Step} of {status.TotalSteps}; what it has saved stays.",
            _ => status.Failure?.Message ?? "The run failed.",
        });
        return ExitCodeOf(status);
    }

    /// <summary>What a console that has followed a run to its end ends with.</summary>
    public static int ExitCodeOf(RunStatus status) => status.State switch
    {
        RunState.Completed => ExitCode.Done,
        RunState.Paused or RunState.Cancelled => ExitCode.Interrupted,
        _ => status.Failure is { BadInput: true } ? ExitCode.BadInput : ExitCode.RunFailed,
    };
}
