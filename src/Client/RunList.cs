using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client;

/// <summary>A run, as 'genslm runs' lists it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="State">Where it stands.</param>
/// <param name="Step">Optimizer steps done.</param>
/// <param name="TotalSteps">Of so many; 0: not known yet.</param>
/// <param name="Epoch">Epochs begun, from 1.</param>
/// <param name="Epochs">Of so many.</param>
/// <param name="TrainLoss">Of the last step.</param>
/// <param name="ValidationLoss">Of the last validation.</param>
/// <param name="BestValidationLoss">The lowest so far.</param>
/// <param name="TokensPerSecond">Over the last steps.</param>
/// <param name="RemainingSeconds">To the end at that pace.</param>
/// <param name="Devices">How many it computes on.</param>
/// <param name="Priority">Runs of a higher one get devices first.</param>
/// <param name="Submitted">When.</param>
/// <param name="Output">Its output folder, on the silos.</param>
/// <param name="Remark">Why it waits or has failed; empty otherwise.</param>
internal sealed record RunView(
    string Name, RunState State, long Step, long TotalSteps, int Epoch, int Epochs,
    double? TrainLoss, double? ValidationLoss, double? BestValidationLoss, double TokensPerSecond, double? RemainingSeconds,
    int Devices, int Priority, DateTimeOffset Submitted, string Output, string Remark);

/// <summary>The runs of a cluster, in the order in which they get devices; those that are over last.</summary>
internal static class RunList
{
    public static async Task<ImmutableArray<RunView>> ReadAsync(IGrainFactory grains)
    {
        var runs = await grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).ListAsync();
        return [.. await Task.WhenAll(runs.Select(run => ViewAsync(grains.GetGrain<ITrainingRunGrain>(run.RunId), run)))];
    }

    /// <summary>Why a run waits or has failed; needs its events. Empty for others.</summary>
    public static string RemarkOn(RunStatus status) => status switch
    {
        { State: RunState.Failed } => status.Failure?.Message ?? "",
        { State: RunState.Waiting, Events: [.., var last] } => EventText.Line(last, status),
        _ => "",
    };

    private static async Task<RunView> ViewAsync(ITrainingRunGrain grain, QueuedRun run)
    {
        var status = await grain.GetStatusAsync(long.MaxValue);
        var remark = status.State == RunState.Waiting ? RemarkOn(await grain.GetStatusAsync(0)) : RemarkOn(status);
        return new RunView(
            run.RunId, status.State, status.Step, status.TotalSteps, status.Epoch, status.Epochs,
            status.TrainLoss, status.ValidationLoss, status.BestValidationLoss, status.TokensPerSecond, status.RemainingSeconds,
            status.IsOver ? 0 : status.Devices.Length, run.Priority, run.Submitted, run.Output, remark);
    }
}
