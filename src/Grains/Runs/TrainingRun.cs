using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What a driver lives in: the services of its grain and its persistent record.</summary>
/// <param name="Grains">Reaches the other grains.</param>
/// <param name="Membership">The cluster.</param>
/// <param name="Silo">The driver's silo.</param>
/// <param name="Record">The run's persistent record.</param>
/// <param name="Write">Makes changes of the record last.</param>
/// <param name="Metrics">Instruments.</param>
/// <param name="Time">The clock.</param>
/// <param name="Log">The log.</param>
internal sealed record RunSurroundings(
    IGrainFactory Grains,
    IClusterMembershipService Membership,
    string Silo,
    RunRecord Record,
    Func<Task> Write,
    ClusterMetrics Metrics,
    TimeProvider Time,
    ILogger Log)
{
    /// <summary>Why the run is not to go on, found before anything was done for it; null when it is.</summary>
    public required string? Objection { get; init; }

    /// <summary>Makes the run's plan, once a silo has seen its data.</summary>
    public required Func<RunSubmission, DataSummary, Task<RunPlan>> PlanAsync { get; init; }

    /// <summary>Where what takes its time is done.</summary>
    public required ComputeThreads Compute { get; init; }

    /// <summary>How often silos died while they prepared it.</summary>
    public required PreparationCount Preparation { get; init; }
}

/// <summary>
/// The life of one run under one driver: open the team, adopt or begin, step after step, end. Runs on the run grain's
/// scheduler. What a driver knows can be known again by the next: it is in the partitions, the output folder and the record.
/// </summary>
internal sealed class TrainingRun(string runId, RunSurroundings surroundings)
{
    private static readonly TimeSpan QueuePatience = TimeSpan.FromMinutes(1);

    private readonly TaskCompletionSource _interrupted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private RunTeam? _team;
    private RunCourse? _course;
    private long _step;

    public RunJournal Journal { get; } = new(runId, surroundings);

    /// <summary>Whether a later driver has taken over, or is to.</summary>
    public bool IsSuperseded { get; private set; }

    private RunRecord Record => surroundings.Record;

    /// <summary>Breaks off the step at hand: the run has been cancelled.</summary>
    public void Interrupt() => _interrupted.TrySetResult();

    /// <summary>Lives the run to its end, or until another driver takes over. Never throws: what went wrong is in the journal.</summary>
#pragma warning disable CA1031 // Nothing awaits a run but its status.
    public async Task LiveAsync()
    {
        using var over = new CancellationTokenSource();
        using var watched = surroundings.Metrics.Watch(runId, () => Journal.Status);
        try
        {
            await LiveAsync(over.Token);
        }
        catch (SupersededException exception)
        {
            // Whoever has taken over does the rest.
            surroundings.Log.DriverSuperseded(exception, runId, Record.Generation);
            IsSuperseded = true;
        }
        catch (DiskStaysFullException exception)
        {
            Journal.Warn($"{exception.Message} What was not written is not waited for: the steps after the last checkpoint are done again when the run goes on.");
            await ConcludeAsync(Stopped);
        }
        catch (StepAbandonedException)
        {
            // It has been asked to stop before it stood.
            await ConcludeAsync(Stopped);
        }
        catch (RunInputException exception)
        {
            if (_course is { } course) await course.FinishAsync();
            await ConcludeAsync(() => Journal.Fail(new RunFailure(BadInput: true, exception.Message)));
        }
        catch (Exception exception)
        {
            surroundings.Log.RunFailed(exception, runId, _step);
            if (_course is { } course) await course.FinishAsync();
            await ConcludeAsync(() => Journal.Fail(new RunFailure(BadInput: false, exception.Message)));
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    private async Task LiveAsync(CancellationToken over)
    {
        if (surroundings.Objection is { } objection) throw new RunInputException(objection);
        bool isFirst = Record.Generation == 1;
        var clock = new RunClock(surroundings.Time);
        _team = await RunTeam.OpenAsync(runId, surroundings, Journal, _interrupted.Task, over);
        Record.DataHash = _team.Data.Hash;
        if (isFirst) DataRemarks.Say(Journal, _team.Data, _team.Plan);
        var start = new RunStart(_team, Record, Journal, surroundings.Time);
        var course = _course = new RunCourse(_team, Record, Journal, surroundings.Metrics, clock, surroundings.Time);
        course.StandAt(await start.AdoptOrBeginAsync());
        while (true)
        {
            _step = course.Step;
            if (await course.TryTrainAsync()) break;
            await course.FallBackAsync(start);
        }

        var conclusion = await course.EndAsync();
        await ConcludeAsync(conclusion);
    }

    private void Stopped()
    {
        if (_course is { } course) course.Stopped();
        else Journal.Enter(Record.Wish == RunWish.Cancel ? RunState.Cancelled : RunState.Paused);
    }

    /// <summary>Lets go of all the run holds, then says how it ended: whoever sees that may start it again at once.</summary>
    private async Task ConcludeAsync(Action conclude)
    {
        try
        {
            await (_team?.CloseAsync() ?? LeftSites.CloseAsync(runId, surroundings));
        }
        catch (SupersededException exception)
        {
            // The queue is the later driver's to leave.
            surroundings.Log.DriverSuperseded(exception, runId, Record.Generation);
            IsSuperseded = true;
            return;
        }
        catch (Exception exception)
        {
            surroundings.Log.ReleaseFailed(exception, runId);
        }

        await LeaveQueueAsync(surroundings.Grains, runId, surroundings.Time, surroundings.Log);

        try
        {
            (Record.Partitions, Record.Final) = (null, Journal.Concluded(conclude));
            await surroundings.Write();
            conclude();
        }
        catch (Exception exception)
        {
            // It has ended and nobody will know: the next driver finds out how again.
            IsSuperseded = true;
            surroundings.Log.ReleaseFailed(exception, runId);
        }
    }

    /// <summary>Gives a run's devices back. Until the queue knows, no other run gets them, so it is told again and again.</summary>
    public static async Task LeaveQueueAsync(IGrainFactory grains, string runId, TimeProvider time, ILogger log)
    {
        var backoff = new Backoff(time, QueuePatience);
        while (true)
        {
            try
            {
                await grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).LeaveAsync(runId);
                return;
            }
            catch (Exception exception)
            {
                log.ReleaseFailed(exception, runId);
                if (!CallFailure.IsLoss(exception) || !await backoff.PauseAsync()) return;
            }
        }
    }
#pragma warning restore CA1031
}
