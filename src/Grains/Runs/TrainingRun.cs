using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;
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
    ILogger Log);

/// <summary>
/// The life of one run under one driver: take over or prepare, step after step, validate and keep, export. Runs on the run
/// grain's scheduler. What a driver knows can be known again by the next: it is in the partitions, the output folder and
/// the record.
/// </summary>
internal sealed class TrainingRun(string runId, RunSurroundings surroundings)
{
    private readonly RunSubmission _submission = surroundings.Record.Submission!;
    private readonly TimeProvider _time = surroundings.Time;
    private RunPreparation? _preparation;
    private PreparedRun? _run;
    private TrainingProgress _progress = new();
    private CheckpointInventory _inventory = new(null, "", "");
    private StepRecord? _last;
    private bool _goesOn;

    public RunJournal Journal { get; } = new(runId, surroundings);

    /// <summary>Whether a later driver has taken over.</summary>
    public bool IsSuperseded { get; private set; }

    private RunRecord Record => surroundings.Record;

    private bool IsToStop => Record.Wish != RunWish.Run;

    /// <summary>Lives the run to its end, or until another driver takes over. Never throws: what went wrong is in the journal.</summary>
#pragma warning disable CA1031 // Nothing awaits a run but its status.
    public async Task LiveAsync()
    {
        using var over = new CancellationTokenSource();
        using var watched = surroundings.Metrics.Watch(runId, () => Journal.Status);
        try
        {
            await PrepareAsync(over.Token);
            while (!await TryTrainAsync()) await FallBackAsync();
            await EndAsync();
        }
        catch (SupersededException exception)
        {
            // Whoever has taken over does the rest.
            surroundings.Log.DriverSuperseded(exception, runId, Record.Generation);
            IsSuperseded = true;
        }
        catch (RunInputException exception)
        {
            await ConcludeAsync(() => Journal.Fail(new RunFailure(BadInput: true, exception.Message)));
        }
        catch (Exception exception)
        {
            surroundings.Log.RunFailed(exception, runId, _progress.Step);
            await ConcludeAsync(() => Journal.Fail(new RunFailure(BadInput: false, exception.Message)));
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    /// <summary>Lets go of all the run holds, then says how it ended: whoever sees that may start it again at once.</summary>
    private async Task ConcludeAsync(Action conclude)
    {
        try
        {
            if (_preparation is not null) await _preparation.ReleaseAsync();
            await surroundings.Grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).LeaveAsync(runId);
        }
        catch (Exception exception)
        {
            surroundings.Log.ReleaseFailed(exception, runId);
        }

        try
        {
            (Record.Partitions, Record.Final) = (null, Journal.Concluded(conclude));
            await surroundings.Write();
            conclude();
        }
        catch (Exception exception)
        {
            surroundings.Log.ReleaseFailed(exception, runId);
        }
    }
#pragma warning restore CA1031

    private async Task PrepareAsync(CancellationToken over)
    {
        _preparation = new RunPreparation(runId, surroundings, Journal, () => IsToStop);
        _ = _preparation.FollowAsync(over);
        _run = await _preparation.PrepareAsync(_submission);
        Adopt(_run);
        Journal.Prepared(_run);
    }

    private void Adopt(PreparedRun run)
    {
        (_progress, _last, _inventory, _goesOn) = (run.Progress, run.Last, run.Inventory, run.GoesOn);
        Journal.Resumed(run);
    }

    /// <summary>Trains to the end; false when the parameters were lost on the way.</summary>
    private async Task<bool> TryTrainAsync()
    {
        try
        {
            await TrainAsync(_run!);
            if (_inventory.Progress?.Step != _progress.Step) await SaveAsync(_run!, validationLoss: null);
            return true;
        }
        catch (Exception exception) when (exception is PartitionsLostException or PartitionUnreachableException)
        {
            Journal.Warn($"The parameters after step {_progress.Step} are lost: {exception.Message}");
            return false;
        }
    }

    private async Task FallBackAsync()
    {
        long before = _progress.Step;
        Journal.Enter(RunState.Preparing);
        _run = await _preparation!.FallBackAsync();
        Adopt(_run);
        Record.ReplayedSteps += before - _progress.Step;
        Journal.Replanned($"back to {(_inventory.Last.Length > 0 ? _inventory.Last : "the start")}: steps {_progress.Step + 1} to {before} are done again");
        Journal.Prepared(_run);
    }

    private async Task TrainAsync(PreparedRun run)
    {
        if (_progress.Step > 0 && run.Plan.ValidatesAfter(_progress.Step) && _inventory.Progress?.Step != _progress.Step) await ValidateAsync(run);
        long began = _time.GetTimestamp();
        double before = _progress.Seconds;
        while (_progress.Step < run.Plan.TotalSteps && !_progress.StoppedEarly && !IsToStop)
        {
            var boundary = await _preparation!.AtBoundaryAsync(run, run.FenceAt(_progress.Step), _last);
            if (boundary == Boundary.Stop) break;
            if (boundary == Boundary.Evacuate)
            {
                if (_inventory.Progress?.Step != _progress.Step) await SaveAsync(run, validationLoss: null);
                await _preparation.EvacuateAsync();
                throw new PartitionsLostException("all silos are leaving");
            }

            double seconds = before + _time.GetElapsedTime(began).TotalSeconds;
            await StepAsync(run, seconds, () => before + _time.GetElapsedTime(began).TotalSeconds);
            if (run.Plan.ValidatesAfter(_progress.Step)) await ValidateAsync(run);
        }
    }

    private async Task StepAsync(PreparedRun run, double secondsBefore, Func<double> seconds)
    {
        long step = _progress.Step + 1;
        var fence = run.FenceAt(step);
        double learningRate = run.Plan.Schedule.At(step, ProgressStates.Plateau(_progress));
        var outcome = await run.Driver.AccumulateAsync(fence, _goesOn);
        if (!outcome.IsFinite) await JudgeAsync(run, fence, outcome);
        var progress = _progress with
        {
            Step = step,
            Tokens = _progress.Tokens + outcome.Shards.Sum(shard => shard.RealTokens),
            PaddingTokens = _progress.PaddingTokens + outcome.Shards.Sum(shard => shard.PaddingTokens),
            Seconds = seconds(),
            TrainLoss = outcome.TrainLoss,
        };
        var line = new MetricLine
        {
            Kind = "step",
            Step = step,
            Epoch = run.Plan.Windows.Locate(step).Epoch,
            TrainLoss = outcome.TrainLoss,
            Tokens = outcome.Shards.Sum(shard => shard.RealTokens),
            LearningRate = learningRate,
            GradientNorm = outcome.GradientNorm,
            Seconds = progress.Seconds - secondsBefore,
        };
        var record = new StepRecord(progress, line, outcome.Shards, Skipped: !outcome.IsFinite);
        await FaultPoint.ReachAsync(FaultPhase.BeforeApply, step);
        await run.Driver.ApplyAsync(new ApplyRequest(fence, learningRate, outcome.GradientFactor, record));
        (_progress, _last, _goesOn) = (progress, record, false);
        Journal.Stepped(run, progress, line);
        await FaultPoint.ReachAsync(FaultPhase.Record, step);
        await run.Keeper.RecordAsync(fence, record);
    }

    /// <summary>A gradient that is not finite never reaches Adam: the run ends with a checkpoint, or leaves the step out.</summary>
    private async Task JudgeAsync(PreparedRun run, Fence fence, WindowOutcome outcome)
    {
        var found = await run.Driver.FindNonFiniteAsync(fence);
        var culprit = found is null
            ? "no record by itself; the sum overflows"
            : $"shard {found.Shard}, record {found.Record + 1} of {FileList.Text(run.Plan.Spec.Data)}";
        var sentence = $"Step {fence.Step}: the gradient is not finite (norm {outcome.GradientNorm}; {culprit})";
        if (run.Plan.Spec.OnNonfinite == NonFiniteAction.SkipStep)
        {
            Journal.Warn($"{sentence}; the step is counted and left out");
            return;
        }

        if (_inventory.Progress?.Step != _progress.Step && _progress.Step > 0) await SaveAsync(run, validationLoss: null);
        throw new RunFailedException($"{sentence}; no parameter was changed. A lower learning rate or gradient clipping usually helps, --on-nonfinite skip-step leaves such steps out; the run resumes from its last checkpoint.");
    }

    private async Task ValidateAsync(PreparedRun run)
    {
        double loss = await run.Driver.ValidateAsync(run.FenceAt(_progress.Step));
        _progress = ProgressStates.Validated(_progress, run.Plan, loss);
        int epoch = run.Plan.Windows.Locate(_progress.Step).Epoch;
        var line = new MetricLine { Kind = "validation", Step = _progress.Step, Epoch = epoch, ValLoss = loss, Best = _progress.BestStep == _progress.Step };
        Journal.Validated(_progress, line);
        await run.Keeper.RecordAsync(run.FenceAt(_progress.Step), line);
        await SaveAsync(run, loss);
        if (_progress.StoppedEarly) Journal.Note($"stopped early: no better validation loss in {_progress.EarlyStoppingBadCount} validations");
    }

    /// <summary>Exports what there is, lets go, and says how it ended.</summary>
    private async Task EndAsync()
    {
        var run = _run!;
        if (_progress.Step < run.Plan.TotalSteps && !_progress.StoppedEarly)
        {
            var (state, word) = Record.Wish == RunWish.Cancel ? (RunState.Cancelled, "cancelled") : (RunState.Paused, "paused");
            await ConcludeAsync(() =>
            {
                Journal.Note($"{word} after step {_progress.Step}");
                Journal.Enter(state);
            });
            return;
        }

        if (run.Plan.TestBatchCount > 0)
            Journal.Tested(await run.Driver.TestAsync(run.FenceAt(_progress.Step), _inventory.Best.Length > 0 ? _inventory.Best : _inventory.Last));
        var export = await run.Keeper.ExportAsync(run.FenceAt(_progress.Step));
        await ConcludeAsync(() => Journal.Completed(export));
    }

    private async Task SaveAsync(PreparedRun run, double? validationLoss)
    {
        int epoch = _progress.Step == 0 ? 0 : run.Plan.Windows.Locate(_progress.Step).Epoch;
        _inventory = await run.Keeper.SaveAsync(new CheckpointRequest(run.FenceAt(_progress.Step), epoch, validationLoss, _progress, run.Partitions.Map));
        Journal.Saved(_inventory);
    }
}
