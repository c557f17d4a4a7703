using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Training;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The life of one run: prepare, step after step, validate and keep, export. Runs on the run grain's scheduler.</summary>
internal sealed class TrainingRun(
    string runId,
    RunSubmission submission,
    IGrainFactory grains,
    IClusterMembershipService membership,
    ClusterMetrics metrics,
    TimeProvider time,
    ILogger log)
{
    private readonly ICheckpointGrain _checkpoint = grains.GetGrain<ICheckpointGrain>(runId);
    private TrainingProgress _progress = new();
    private CheckpointInventory _inventory = new(null, "", "");
    private bool _stopAsked;

    public RunJournal Journal { get; } = new(runId);

    /// <summary>Stops at the next step boundary.</summary>
    public void Stop()
    {
        if (Journal.Status.IsOver) return;
        _stopAsked = true;
        Journal.Enter(RunState.Stopping);
    }

    /// <summary>Lives the run to its end. Never throws: what went wrong is in the journal.</summary>
#pragma warning disable CA1031 // Nothing awaits a run but its status.
    public async Task LiveAsync()
    {
        PreparedRun? run = null;
        Action conclude;
        using var watched = metrics.Watch(runId, () => Journal.Status);
        try
        {
            run = await new RunPreparation(grains, membership, Journal).PrepareAsync(runId, submission, generation: 1);
            Journal.Prepared(run);
            Resume(run);
            await TrainAsync(run);
            conclude = await EndAsync(run);
        }
        catch (RunInputException exception)
        {
            conclude = () => Journal.Fail(new RunFailure(BadInput: true, exception.Message));
        }
        catch (Exception exception)
        {
            log.RunFailed(exception, runId, _progress.Step);
            conclude = () => Journal.Fail(new RunFailure(BadInput: false, exception.Message));
        }

        // Whoever sees that the run is over may start it again at once: by then it holds nothing.
        await ReleaseAsync(run);
        conclude();
    }

    private async Task ReleaseAsync(PreparedRun? run)
    {
        try
        {
            if (run is not null)
            {
                await Task.WhenAll(run.Shares.Select(share => grains.GetGrain<IGpuGrain>(run.GpuKey(share)).ReleaseAsync()));
                await Task.WhenAll(run.Partitions.Places.Select(place => grains.GetGrain<IParameterServerGrain>(place.Key(runId)).ReleaseAsync()));
            }

            await _checkpoint.CloseAsync();
        }
        catch (Exception exception)
        {
            log.ReleaseFailed(exception, runId);
        }
    }
#pragma warning restore CA1031

    private void Resume(PreparedRun run)
    {
        _inventory = run.Inventory;
        if (run.Inventory.Progress is not { } progress) return;
        _progress = progress;
        Journal.Resumed(run, progress, run.Inventory);
    }

    private async Task TrainAsync(PreparedRun run)
    {
        var driver = new StepDriver(grains, run, metrics, time);
        long began = time.GetTimestamp();
        double before = _progress.Seconds;
        while (_progress.Step < run.Plan.TotalSteps && !_progress.StoppedEarly && !_stopAsked)
        {
            long step = _progress.Step + 1;
            double learningRate = run.Plan.Schedule.At(step, PlateauOf(_progress));
            var outcome = await driver.StepAsync(step, learningRate);
            _progress = _progress with
            {
                Step = step,
                Tokens = _progress.Tokens + outcome.RealTokens,
                PaddingTokens = _progress.PaddingTokens + outcome.PaddingTokens,
                Seconds = before + time.GetElapsedTime(began).TotalSeconds,
                TrainLoss = outcome.TrainLoss,
            };
            await RecordStepAsync(run, outcome, learningRate);
            if (run.Plan.ValidatesAfter(step)) await ValidateAsync(run, driver);
        }
    }

    private async Task RecordStepAsync(PreparedRun run, StepOutcome outcome, double learningRate)
    {
        var line = new MetricLine
        {
            Kind = "step",
            Step = _progress.Step,
            Epoch = run.Plan.Windows.Locate(_progress.Step).Epoch,
            TrainLoss = outcome.TrainLoss,
            Tokens = outcome.RealTokens,
            LearningRate = learningRate,
            GradientNorm = outcome.GradientNorm,
            Seconds = outcome.Seconds,
        };
        Journal.Stepped(run.Plan, _progress, line);
        await _checkpoint.RecordAsync(line);
    }

    private async Task ValidateAsync(PreparedRun run, StepDriver driver)
    {
        double loss = await driver.EvaluateAsync(_progress.Step, EvaluationSet.Validation);
        bool best = _progress.BestValidationLoss is not { } lowest || loss < lowest;
        var plateau = run.Plan.Schedule.Observe(PlateauOf(_progress), loss);
        var patience = run.Plan.EarlyStopping.Observe(PatienceOf(_progress), loss);
        _progress = _progress with
        {
            ValidationLoss = loss,
            BestValidationLoss = best ? loss : _progress.BestValidationLoss,
            BestStep = best ? _progress.Step : _progress.BestStep,
            PlateauReductions = plateau.Reductions,
            PlateauBest = Finite(plateau.Best),
            PlateauBadCount = plateau.BadCount,
            EarlyStoppingBest = Finite(patience.Best),
            EarlyStoppingBadCount = patience.BadCount,
            StoppedEarly = run.Plan.EarlyStopping.ShouldStop(patience),
        };
        int epoch = run.Plan.Windows.Locate(_progress.Step).Epoch;
        var line = new MetricLine { Kind = "validation", Step = _progress.Step, Epoch = epoch, ValLoss = loss, Best = best };
        Journal.Validated(_progress, line);
        await _checkpoint.RecordAsync(line);
        await SaveAsync(run, loss);
        if (_progress.StoppedEarly) Journal.Note($"stopped early: no better validation loss in {patience.BadCount} validations");
    }

    /// <summary>Saves and exports what there is; returns how to say so.</summary>
    private async Task<Action> EndAsync(PreparedRun run)
    {
        if (_inventory.Progress?.Step != _progress.Step) await SaveAsync(run, validationLoss: null);
        if (_progress.Step < run.Plan.TotalSteps && !_progress.StoppedEarly)
        {
            return () =>
            {
                Journal.Note($"stopped after step {_progress.Step}");
                Journal.Enter(RunState.Stopped);
            };
        }

        if (run.Plan.TestBatchCount > 0) Journal.Tested(await new StepDriver(grains, run, metrics, time).EvaluateAsync(_progress.Step, EvaluationSet.Test));
        var export = await _checkpoint.ExportAsync();
        return () => Journal.Completed(export);
    }

    private async Task SaveAsync(PreparedRun run, double? validationLoss)
    {
        int epoch = _progress.Step == 0 ? 0 : run.Plan.Windows.Locate(_progress.Step).Epoch;
        _inventory = await _checkpoint.SaveAsync(new CheckpointRequest(run.FenceAt(_progress.Step), epoch, validationLoss, _progress, run.Partitions));
        Journal.Saved(_inventory);
    }

    private static PlateauState PlateauOf(TrainingProgress progress) =>
        new(progress.PlateauReductions, progress.PlateauBest ?? double.PositiveInfinity, progress.PlateauBadCount);

    private static EarlyStoppingState PatienceOf(TrainingProgress progress) =>
        new(progress.EarlyStoppingBest ?? double.PositiveInfinity, progress.EarlyStoppingBadCount);

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
