using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
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
    RunPlans plans,
    ComputeThreads compute,
    ClusterMetrics metrics,
    StorePatience patience,
    TimeProvider time,
    ILogger<TrainingRunGrain> log) : Grain, ITrainingRunGrain, IRemindable
{
    private const string ReminderName = "awake";
    private static readonly TimeSpan ReminderPeriod = TimeSpan.FromSeconds(30);

    private readonly PatientState<RunRecord> _record = new(record, time);
    private Task _writing = Task.CompletedTask;
    private TrainingRun? _run;
    private PreparationCount? _preparation;
    private Task _entered = Task.CompletedTask;
    private Task _living = Task.CompletedTask;

    private RunRecord Record => _record.Value;

    private string RunId => this.GetPrimaryKeyString();

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        // Not waited for: whoever woke the run gets its answer, whether or not the store takes writes.
        if (Record is { Submission: not null, Final: null }) _ = DriveAsync();
        // Its last driver may have died between its last word and giving its devices back.
        else if (Record.Final is not null) _ = TrainingRun.LeaveQueueAsync(GrainFactory, RunId, time, log);
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        // Its silo leaves in order: nothing has died of this run.
        if (_preparation is { } preparation && IsUnderWay) await Task.WhenAny(preparation.WithdrawAsync(), Task.Delay(patience.OfCall, time, cancellationToken));
    }

    public async Task StartAsync(RunSubmission submission)
    {
        if (IsUnderWay)
        {
            await AnsweredAsync(_entered);
            return;
        }

        await CheckAsync(submission);
        await _living;
        _record.Value = new RunRecord
        {
            Submission = submission,
            Instance = Guid.NewGuid().ToString("N"),
            Generation = Record.Generation,
            Submitted = time.GetUtcNow(),
            HasTrained = Record.HasTrained && submission.Spec == Record.Submission?.Spec && submission.ModelConfig == Record.Submission.ModelConfig,
        };
        await AnsweredAsync(DriveAsync());
    }

    public Task PauseAsync() => WishAsync(RunWish.Pause);

    public async Task CancelAsync()
    {
        // It may be about to stop by itself: then it is what it has become that is cancelled.
        if (Record.Final is not null) await _living;
        if (IsUnderWay || Record.Final is not { State: RunState.Paused or RunState.Failed } final)
        {
            await WishAsync(RunWish.Cancel);
            return;
        }

        Record.Final = final with { State = RunState.Cancelled };
        await AnsweredAsync(WriteAsync());
        _run?.Journal.Enter(RunState.Cancelled);
    }

    public Task ResumeAsync() => ResumeAsync(acceptOtherDevice: false);

    public async Task ResumeOnOtherDevicesAsync()
    {
        // One that waits may wait for devices that nobody has any more.
        if (_run is { } run && IsUnderWay && run.Journal.Status.State == RunState.Waiting) await PauseAsync();
        await ResumeAsync(acceptOtherDevice: true);
    }

    private async Task ResumeAsync(bool acceptOtherDevice)
    {
        if (Record.Submission is not { } submission) throw new RunInputException($"There is no run {RunId} to go on with.");
        if (IsUnderWay)
        {
            if (Record.Wish == RunWish.Run) return;
            // It is about to stop: first that, then on.
            await _living;
        }

        if (Record.Final?.State == RunState.Cancelled) throw new RunInputException($"Run {RunId} was cancelled, for good.");
        if (Record.Final?.State == RunState.Completed) throw new RunInputException($"Run {RunId} is completed; there is nothing to go on with.");
        await CheckAsync(submission);
        Record.Submission = submission with { Resume = true };
        if (acceptOtherDevice)
        {
            Record.Submission = Record.Submission with { Spec = submission.Spec with { AcceptOtherDevice = true } };
            (Record.DeviceFingerprint, Record.HasTrained) = ("", false);
        }

        (Record.Wish, Record.Final, Record.DataHash, Record.Preparations) = (RunWish.Run, null, "", 0);
        await AnsweredAsync(DriveAsync());
    }

    public async Task<ExportReport> ExportAsync()
    {
        if (Record.Final is { Exported.Length: > 0 } final) return new ExportReport(final.Exported, final.WeightsSha256, final.LedgerHead, final.RecordsSeenExactlyOnce);
        if (Record.Submission is not { } submission) throw new RunInputException($"There is no run {RunId} to export.");
        var keeper = GrainFactory.GetGrain<ICheckpointGrain>(RunId);
        if (_run is not { } run || !IsUnderWay) return await keeper.ExportStoppedAsync(submission);
        return await keeper.ExportAsync(new Fence(RunId, run.Journal.Status.Step, Record.Generation));
    }

    public Task<RunSubmission?> GetSubmissionAsync() => Task.FromResult(Record.Submission);

    public Task<RunStatus> GetStatusAsync(long afterSequence) => Task.FromResult(
        _run is { } run ? run.Journal.StatusSince(afterSequence)
        : Record.Final is { } final ? final with { Events = [.. final.Events.Where(known => known.Sequence > afterSequence)] }
        : new RunStatus { RunId = RunId, State = RunState.Unknown });

    // Being woken is all.
    public async Task ReceiveReminder(string reminderName, TickStatus status)
    {
        if (IsUnderWay || Record is { Submission: not null, Final: null }) return;
        if (await this.GetReminder(ReminderName) is { } reminder) await this.UnregisterReminder(reminder);
    }

    private bool IsUnderWay => _run is { } run && !run.Journal.Status.IsOver;

    /// <exception cref="RunInputException">The cluster does not take the run.</exception>
    private async Task CheckAsync(RunSubmission submission)
    {
        var objection = SubmissionRules.Objection(RunId, submission) ?? await SmallestSilo.ObjectionAsync(submission.Spec, membership, GrainFactory, time);
        if (objection is not null) throw new RunInputException(objection);
    }

    /// <summary>Becomes the run's driver: from now on what an earlier one decides is refused. Completes when that is known for good.</summary>
    private Task DriveAsync()
    {
        Record.Generation++;
        _preparation = new PreparationCount(RunId, Record, WriteAsync, log);
        var surroundings = new RunSurroundings(GrainFactory, membership, silo.Name, Record, WriteAsync, metrics, time, log)
        {
            Objection = SubmissionRules.Objection(RunId, Record.Submission) ?? _preparation.Objection,
            PlanAsync = plans.OfAsync,
            Compute = compute,
            Preparation = _preparation,
        };
        _run = new TrainingRun(RunId, surroundings);
        _entered = EnterAsync(surroundings);
        _living = LiveAsync(_run, _entered);
        DelayDeactivation(TimeSpan.MaxValue);
        return _entered;
    }

    private async Task EnterAsync(RunSurroundings surroundings)
    {
        if (surroundings.Objection is not null)
        {
            await WriteAsync();
            return;
        }

        await surroundings.Preparation.BeginAsync();
        var spec = Record.Submission!.Spec;
        var entry = new QueuedRun(
            RunId,
            spec.Priority,
            Record.Submitted,
            spec.MinDevices,
            spec.MaxDevices == 0 ? spec.Shards : Math.Min(spec.MaxDevices, spec.Shards),
            spec.Output,
            Active: true);
        for (var backoff = new Backoff(time, patience.OfRun); ;)
        {
            try
            {
                await GrainFactory.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).EnterAsync(entry);
                return;
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                // The queue moves to another silo, or waits for the store.
                if (!await backoff.PauseAsync()) throw;
            }
        }
    }

#pragma warning disable CA1031 // Nobody may be waiting for it: the next who wakes the run tries again.
    private async Task LiveAsync(TrainingRun run, Task entered)
    {
        // The call that began it is answered first.
        await Task.Yield();
        try
        {
            await entered;
        }
        catch (Exception exception)
        {
            log.RunNotDriven(exception, RunId);
            _run = null;
            DeactivateOnIdle();
            return;
        }

        _ = RemindAsync();
        await run.LiveAsync();
        if (run.IsSuperseded) DeactivateOnIdle();
    }
#pragma warning restore CA1031

#pragma warning disable CA1031 // The run does not wait for its reminder: it is one way of three to be woken.
    private async Task RemindAsync()
    {
        try
        {
            await this.RegisterOrUpdateReminder(ReminderName, ReminderPeriod, ReminderPeriod);
        }
        catch (Exception exception)
        {
            log.RunNotReminded(exception, RunId);
        }
    }
#pragma warning restore CA1031

    private Task WishAsync(RunWish wish)
    {
        if (_run is not { } run || !IsUnderWay) return Task.CompletedTask;
        Record.Wish = wish;
        run.Journal.Enter(RunState.Pausing);
        if (wish == RunWish.Cancel) run.Interrupt();
        return AnsweredAsync(WriteAsync());
    }

    // The caller is told in time that the store does not answer; what it asked for is done all the same.
    private Task AnsweredAsync(Task work) => work.WaitAsync(patience.OfCall, time);

    // One after the other: of two writes at once the second would be taken for another activation's.
    private Task WriteAsync() => _writing = WriteAsync(after: _writing);

    private async Task WriteAsync(Task after)
    {
        await Task.WhenAny(after);
        try
        {
            await _record.WriteAsync(patience.OfRun);
        }
        catch (InconsistentStateException exception)
        {
            DeactivateOnIdle();
            throw new SupersededException($"Another activation drives run {RunId} now: {exception.Message}");
        }
    }
}
