using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;
using Orleans.Placement;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// A training job: one activation a run id, called by the console. Life cycle only: the run itself goes on between
/// calls, on this grain's scheduler, so that every call is answered at once.
/// </summary>
[PreferLocalPlacement]
public sealed class TrainingRunGrain(IClusterMembershipService membership, ClusterMetrics metrics, TimeProvider time, ILogger<TrainingRunGrain> log)
    : Grain, ITrainingRunGrain
{
    private TrainingRun? _run;

    public Task StartAsync(RunSubmission submission)
    {
        if (_run is { } before && !before.Journal.Status.IsOver) return Task.CompletedTask;
        if (submission.Spec.Validate().FirstOrDefault() is { } problem) throw new RunInputException(problem);
        _run = new TrainingRun(this.GetPrimaryKeyString(), submission, GrainFactory, membership, metrics, time, log);
        DelayDeactivation(TimeSpan.MaxValue);
        _ = _run.LiveAsync();
        return Task.CompletedTask;
    }

    public Task StopAsync()
    {
        _run?.Stop();
        return Task.CompletedTask;
    }

    public Task<RunStatus> GetStatusAsync(long afterSequence) => Task.FromResult(
        _run?.Journal.StatusSince(afterSequence) ?? new RunStatus { RunId = this.GetPrimaryKeyString(), State = RunState.Unknown });
}
