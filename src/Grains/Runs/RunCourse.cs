using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>A run's way from where it stands to its end: step after step, validations, checkpoints.</summary>
internal sealed class RunCourse(RunTeam team, RunRecord record, RunJournal journal, ClusterMetrics metrics, RunClock clock, TimeProvider time)
{
    // In a row, without a step between them: then something is wrong that going back does not mend.
    private const int MostFallBacks = 10;

    private readonly StepDriver _driver = new(team, journal, metrics, time);
    private readonly RunCheckpoints _checkpoints = new(team, journal, time);
    private TrainingProgress _progress = new();
    private bool _goesOn;
    private bool _owesValidation;
    private int _fallBacks;
    private double _applySeconds;

    /// <summary>Optimizer steps applied.</summary>
    public long Step => _progress.Step;

    private RunPlan Plan => team.Plan;

    private bool IsToStop => record.Wish != RunWish.Run;

    private bool IsCancelled => record.Wish == RunWish.Cancel;

    /// <summary>Goes on from here.</summary>
    public void StandAt(Standing standing)
    {
        (_progress, _goesOn) = (standing.Progress, standing.GoesOn);
        _checkpoints.StandAt(standing);
        // A step that a validation is due after may have been applied by a driver that died before it.
        _owesValidation = _progress.Step > 0 && Plan.ValidatesAfter(_progress.Step) && !_checkpoints.Has(_progress.Step);
        if (_fallBacks == 0) clock.GoOnFrom(_progress.Spent ?? new RunSeconds(Stepping: _progress.Seconds), clock.Spent);
        journal.Resumed(team, _progress, standing.Inventory);
        clock.Lap(TimeUse.Preparing);
        journal.Prepared(team, _progress, standing.Inventory);
    }

    /// <summary>Trains to the end; false when the parameters were lost on the way.</summary>
    public async Task<bool> TryTrainAsync()
    {
        try
        {
            await TrainAsync();
            // Cancelled is cancelled. A validation that was broken off is made up for when the run goes on, from the checkpoint before it.
            if (IsCancelled) return true;
            if (!_owesValidation && !_checkpoints.Has(_progress.Step)) await SaveAsync(validationLoss: null);
            await WrittenAsync();
            return true;
        }
        catch (Exception exception) when (exception is PartitionsLostException or PartitionUnreachableException)
        {
            journal.Warn($"The parameters after step {_progress.Step} are lost: {exception.Message}");
            if (++_fallBacks > MostFallBacks)
                throw new RunFailedException($"The parameters after step {_progress.Step} were lost {_fallBacks} times in a row: {exception.Message}. The run resumes from its last checkpoint.");
            return false;
        }
    }

    /// <summary>Goes back to the last checkpoint.</summary>
    public async Task FallBackAsync(RunStart start)
    {
        long before = _progress.Step;
        journal.Enter(RunState.Preparing);
        StandAt(await start.FallBackAsync());
        record.ReplayedSteps += before - _progress.Step;
        string again = before == _progress.Step ? "no step is done again" : $"steps {_progress.Step + 1} to {before} are done again";
        journal.Replanned($"back to {(_checkpoints.Inventory.Last.Length > 0 ? _checkpoints.Inventory.Last : "the start")}: {again}");
    }

    /// <summary>Exports what there is; says how it ended.</summary>
    public async Task<Action> EndAsync()
    {
        if (IsCancelled || _owesValidation || (_progress.Step < Plan.TotalSteps && !_progress.StoppedEarly))
            return Stopped;

        if (Plan.TestBatchCount > 0)
            journal.Tested(await _driver.TestAsync(team.FenceAt(_progress.Step), _checkpoints.Inventory.Best.Length > 0 ? _checkpoints.Inventory.Best : _checkpoints.Inventory.Last));
        clock.Lap(TimeUse.Validating);
        var export = await team.Keeper.ExportAsync(team.FenceAt(_progress.Step));
        clock.Lap(TimeUse.Checkpointing);
        return () => journal.Completed(export, clock.Spent);
    }

    /// <summary>Says that it was paused or cancelled.</summary>
    public void Stopped()
    {
        // Cancelled while it was pausing, it is cancelled.
        var (state, word) = IsCancelled ? (RunState.Cancelled, "cancelled") : (RunState.Paused, "paused");
        // It may not have come to stand where its journal says that it goes on.
        journal.Note($"{word} after step {journal.Status.Step}");
        journal.Enter(state);
    }

    /// <summary>Waits for the checkpoint of a run that has failed: its parameters are as sound as before.</summary>
    public Task FinishAsync() => _checkpoints.FinishAsync(() => IsToStop);

    private async Task TrainAsync()
    {
        try
        {
            if (_owesValidation) await ValidateAsync();
            while (_progress.Step < Plan.TotalSteps && !_progress.StoppedEarly && !IsToStop)
            {
                await _checkpoints.CheckAsync();
                var boundary = await AtBoundaryAsync();
                if (boundary == Boundary.Stop) break;
                if (boundary == Boundary.Evacuate) await EvacuateAsync();
                if (!await TryStepAsync()) continue;
                _fallBacks = 0;
                if (Plan.ValidatesAfter(_progress.Step)) await ValidateAsync();
            }
        }
        catch (StepAbandonedException)
        {
            // In the middle of a validation, because the run has to stop or all silos are leaving.
            if (!IsToStop) throw new PartitionsLostException("all silos are leaving");
        }
    }

    private async Task<Boundary> AtBoundaryAsync()
    {
        long start = time.GetTimestamp();
        var boundary = await team.AtBoundaryAsync();
        if (time.GetElapsedTime(start) > TimeSpan.FromSeconds(1)) clock.Lap(TimeUse.Waiting);
        return boundary;
    }

    private async Task EvacuateAsync()
    {
        if (!_checkpoints.Has(_progress.Step)) await SaveAsync(validationLoss: null);
        await WrittenAsync();
        await team.EvacuateAsync();
        throw new PartitionsLostException("all silos are leaving");
    }

    /// <summary>One optimizer step; false when it was abandoned.</summary>
    private async Task<bool> TryStepAsync()
    {
        long step = _progress.Step + 1;
        var fence = team.FenceAt(step);
        double learningRate = Plan.Schedule.At(step, ProgressStates.Plateau(_progress));
        WindowOutcome outcome;
        try
        {
            outcome = await _driver.AccumulateAsync(fence, _goesOn);
        }
        catch (StepAbandonedException)
        {
            return false;
        }

        if (!outcome.IsFinite) await JudgeAsync(fence, outcome);
        var stepRecord = Record(step, learningRate, outcome);
        await FaultPoint.ReachAsync(FaultPhase.BeforeApply, step);
        await _driver.ApplyAsync(new ApplyRequest(fence, learningRate, outcome.GradientFactor, stepRecord));
        (_progress, _goesOn) = (stepRecord.Progress, false);
        journal.Stepped(Plan, _driver, _progress, stepRecord.Line);
        await FaultPoint.ReachAsync(FaultPhase.Record, step);
        await team.Keeper.RecordAsync(fence, stepRecord);
        // What follows the reduction belongs to the next step's line: this one's is on its way already.
        _applySeconds = clock.Lap(TimeUse.Stepping);
        return true;
    }

    private StepRecord Record(long step, double learningRate, WindowOutcome outcome)
    {
        double seconds = _applySeconds + clock.Lap(TimeUse.Stepping);
        _applySeconds = 0;
        long tokens = outcome.Shards.Sum(shard => shard.RealTokens);
        var progress = _progress with
        {
            Step = step,
            Tokens = _progress.Tokens + tokens,
            PaddingTokens = _progress.PaddingTokens + outcome.Shards.Sum(shard => shard.PaddingTokens),
            Seconds = clock.Spent.Total,
            Spent = clock.Spent,
            TrainLoss = outcome.TrainLoss,
        };
        var line = new MetricLine
        {
            Kind = "step",
            Step = step,
            Epoch = Plan.Windows.Locate(step).Epoch,
            TrainLoss = outcome.TrainLoss,
            Tokens = tokens,
            LearningRate = learningRate,
            GradientNorm = outcome.GradientNorm,
            Seconds = seconds,
            OtherSeconds = clock.TakeOther(),
        };
        return new StepRecord(progress, line, outcome.Shards, Skipped: !outcome.IsFinite);
    }

    /// <summary>A gradient that is not finite never reaches Adam: the run ends with a checkpoint, or leaves the step out.</summary>
    private async Task JudgeAsync(Fence fence, WindowOutcome outcome)
    {
        var (found, isKnown) = await _driver.FindNonFiniteAsync(fence);
        var culprit = !isKnown ? "no silo could find out which record's"
            : found is null ? "no record by itself; the sum overflows"
            : $"shard {found.Shard}, record {found.Record + 1} of {FileList.Text(Plan.Spec.Data)}";
        var sentence = $"Step {fence.Step}: the gradient is not finite (norm {outcome.GradientNorm}; {culprit})";
        if (Plan.Spec.OnNonfinite == NonFiniteAction.SkipStep)
        {
            journal.Warn($"{sentence}; the step is counted and left out");
            return;
        }

        if (!_checkpoints.Has(_progress.Step) && _progress.Step > 0) await SaveAsync(validationLoss: null);
        throw new RunFailedException($"{sentence}; no parameter was changed. A lower learning rate or gradient clipping usually helps, --on-nonfinite skip-step leaves such steps out; the run resumes from its last checkpoint.");
    }

    private async Task ValidateAsync()
    {
        _owesValidation = true;
        double loss = await _driver.ValidateAsync(team.FenceAt(_progress.Step));
        _owesValidation = false;
        double seconds = clock.Lap(TimeUse.Validating);
        _progress = ProgressStates.Validated(_progress, Plan, loss) with { Seconds = clock.Spent.Total, Spent = clock.Spent };
        int epoch = Plan.Windows.Locate(_progress.Step).Epoch;
        var line = new MetricLine { Kind = "validation", Step = _progress.Step, Epoch = epoch, ValLoss = loss, Best = _progress.BestStep == _progress.Step, Seconds = seconds, OtherSeconds = clock.TakeOther() };
        journal.Validated(_progress, line);
        await team.Keeper.RecordAsync(team.FenceAt(_progress.Step), line);
        await SaveAsync(loss);
        if (_progress.StoppedEarly) journal.Note($"stopped early: no better validation loss in {_progress.EarlyStoppingBadCount} validations");
    }

    private async Task SaveAsync(double? validationLoss)
    {
        int epoch = _progress.Step == 0 ? 0 : Plan.Windows.Locate(_progress.Step).Epoch;
        await _checkpoints.SaveAsync(new CheckpointRequest(team.FenceAt(_progress.Step), epoch, validationLoss, _progress, team.Partitions.Whole, team.Keeper.LedgerHead));
        clock.Lap(TimeUse.Checkpointing);
    }

    private async Task WrittenAsync()
    {
        await _checkpoints.WrittenAsync(() => IsCancelled);
        clock.Lap(TimeUse.Checkpointing);
    }
}
