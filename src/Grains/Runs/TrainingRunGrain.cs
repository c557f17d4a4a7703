using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Storage;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// A training job: one activation a run id, called by the console. Life cycle only: the run itself goes on between
/// calls, on this grain's scheduler, so that every call is answered at once. When its silo dies it is woken on another
/// (<see cref="RunWaker"/>, a reminder, or whoever asks for its status), counts its generation up and takes the run over.
/// </summary>
[PreferLocalPlacement]
public sealed class TrainingRunGrain(
    [PersistentState("run")] IPersistentState<RunRecord> record,
    IClusterMembershipService membership,
    ILocalSiloDetails silo,
    ClusterMetrics metrics,
    TimeProvider time,
    ILogger<TrainingRunGrain> log) : Grain, ITrainingRunGrain, IRemindable
{
    private const string ReminderName = "awake";
    private static readonly TimeSpan ReminderPeriod = TimeSpan.FromSeconds(30);

    private TrainingRun? _run;
    private Task _living = Task.CompletedTask;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if (record.State is { Submission: not null, Final: null }) await DriveAsync();
    }

    public async Task StartAsync(RunSubmission submission)
    {
        if (IsUnderWay) return;
        if (submission.Spec.Validate().FirstOrDefault() is { } problem) throw new RunInputException(problem);
        await _living;
        record.State = new RunRecord
        {
            Submission = submission,
            Instance = Guid.NewGuid().ToString("N"),
            Generation = record.State.Generation,
            Submitted = time.GetUtcNow(),
        };
        await DriveAsync();
    }

    public Task PauseAsync() => WishAsync(RunWish.Pause);

    public async Task CancelAsync()
    {
        // It may be about to stop by itself: then it is what it has become that is cancelled.
        if (record.State.Final is not null) await _living;
        if (IsUnderWay || record.State.Final is not { State: RunState.Paused or RunState.Failed } final)
        {
            await WishAsync(RunWish.Cancel);
            return;
        }

        record.State.Final = final with { State = RunState.Cancelled };
        await WriteAsync();
        _run?.Journal.Enter(RunState.Cancelled);
    }

    public async Task ResumeAsync()
    {
        if (record.State.Submission is not { } submission) throw new RunInputException($"There is no run {this.GetPrimaryKeyString()} to go on with.");
        if (IsUnderWay)
        {
            if (record.State.Wish == RunWish.Run) return;
            // It is about to stop: first that, then on.
            await _living;
        }

        if (record.State.Final?.State == RunState.Cancelled) throw new RunInputException($"Run {this.GetPrimaryKeyString()} was cancelled, for good.");
        if (record.State.Final?.State == RunState.Completed) throw new RunInputException($"Run {this.GetPrimaryKeyString()} is completed; there is nothing to go on with.");
        record.State.Submission = submission with { Resume = true };
        (record.State.Wish, record.State.Final) = (RunWish.Run, null);
        await DriveAsync();
    }

    public async Task<ExportReport> ExportAsync()
    {
        if (record.State.Final is { Exported.Length: > 0 } final) return new ExportReport(final.Exported, final.WeightsSha256, final.LedgerHead, final.RecordsSeenExactlyOnce);
        if (record.State.Submission is not { } submission) throw new RunInputException($"There is no run {this.GetPrimaryKeyString()} to export.");
        var keeper = GrainFactory.GetGrain<ICheckpointGrain>(this.GetPrimaryKeyString());
        if (_run is not { } run || !IsUnderWay) return await keeper.ExportStoppedAsync(submission);
        return await keeper.ExportAsync(new Fence(this.GetPrimaryKeyString(), run.Journal.Status.Step, record.State.Generation));
    }

    public Task<RunSubmission?> GetSubmissionAsync() => Task.FromResult(record.State.Submission);

    public Task<RunStatus> GetStatusAsync(long afterSequence) => Task.FromResult(
        _run is { } run ? run.Journal.StatusSince(afterSequence)
        : record.State.Final is { } final ? final with { Events = [.. final.Events.Where(known => known.Sequence > afterSequence)] }
        : new RunStatus { RunId = this.GetPrimaryKeyString(), State = RunState.Unknown });

    // Being woken is all.
    public async Task ReceiveReminder(string reminderName, TickStatus status)
    {
        if (IsUnderWay || record.State is { Submission: not null, Final: null }) return;
        if (await this.GetReminder(ReminderName) is { } reminder) await this.UnregisterReminder(reminder);
    }

    private bool IsUnderWay => _run is { } run && !run.Journal.Status.IsOver;

    /// <summary>Becomes the run's driver: from now on what an earlier one decides is refused.</summary>
    private async Task DriveAsync()
    {
        record.State.Generation++;
        await WriteAsync();
        var spec = record.State.Submission!.Spec;
        await GrainFactory.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).EnterAsync(new QueuedRun(
            this.GetPrimaryKeyString(),
            spec.Priority,
            record.State.Submitted,
            spec.MinDevices,
            spec.MaxDevices == 0 ? spec.Shards : Math.Min(spec.MaxDevices, spec.Shards),
            spec.Output,
            Active: true));
        DelayDeactivation(TimeSpan.MaxValue);
        var surroundings = new RunSurroundings(GrainFactory, membership, silo.Name, record.State, WriteAsync, metrics, time, log);
        _run = new TrainingRun(this.GetPrimaryKeyString(), surroundings);
        _living = LiveAsync(_run);
    }

    private async Task LiveAsync(TrainingRun run)
    {
        // The call that began it is answered first.
        await Task.Yield();
        _ = RemindAsync();
        await run.LiveAsync();
        if (run.IsSuperseded) DeactivateOnIdle();
    }

#pragma warning disable CA1031 // The run does not wait for its reminder: it is one way of three to be woken.
    private async Task RemindAsync()
    {
        try
        {
            await this.RegisterOrUpdateReminder(ReminderName, ReminderPeriod, ReminderPeriod);
        }
        catch (Exception exception)
        {
            log.RunNotReminded(exception, this.GetPrimaryKeyString());
        }
    }
#pragma warning restore CA1031

    private async Task WishAsync(RunWish wish)
    {
        if (_run is not { } run || !IsUnderWay) return;
        record.State.Wish = wish;
        run.Journal.Enter(RunState.Pausing);
        await WriteAsync();
    }

    private async Task WriteAsync()
    {
        try
        {
            await PatientStorage.DoAsync(record.WriteStateAsync, time);
        }
        catch (InconsistentStateException exception)
        {
            DeactivateOnIdle();
            throw new SupersededException($"Another activation drives run {this.GetPrimaryKeyString()} now: {exception.Message}");
        }
    }
}
