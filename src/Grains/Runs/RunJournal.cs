using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What a run says of itself: its status and the last few thousand events. Touched on the run grain's scheduler only.</summary>
internal sealed class RunJournal(string runId)
{
    private const int EventsKept = 4096;
    private const double PaceSmoothing = 0.1;

    private readonly Queue<RunEvent> _events = new();
    private long _sequence;
    private double _secondsPerStep;

    /// <summary>The status, without events. Read by the metrics' callbacks from other threads: a whole record is swapped in.</summary>
    public RunStatus Status { get; private set; } = new() { RunId = runId, State = RunState.Preparing };

    public RunStatus StatusSince(long afterSequence) => Status with
    {
        Events = [.. _events.SkipWhile(known => known.Sequence <= afterSequence)],
    };

    public void Note(string text) => Add(RunEventKind.Note, text, null);

    public void Warn(string text) => Add(RunEventKind.Warning, text, null);

    public void Enter(RunState state) => Status = Status with { State = state };

    public void Fail(RunFailure failure) => Status = Status with { State = RunState.Failed, Failure = failure };

    public void Prepared(PreparedRun run)
    {
        var state = Status.State == RunState.Stopping ? RunState.Stopping : RunState.Running;
        Status = Status with { State = state, TotalSteps = run.Plan.TotalSteps, Epochs = run.Plan.Spec.Epochs, Devices = run.Shares };
        foreach (var share in run.Shares) Note($"{share.Silo} {share.Device}: {ShardText(share)}");
        if (run.Inventory.Progress is { } progress) Note($"going on after step {progress.Step} from {run.Inventory.Last}");
    }

    /// <summary>Takes over the numbers that a checkpoint remembers.</summary>
    public void Resumed(PreparedRun run, TrainingProgress progress, CheckpointInventory inventory)
    {
        Adopt(run.Plan, progress);
        Status = Status with { TrainLoss = progress.TrainLoss, BestCheckpoint = inventory.Best };
    }

    public void Stepped(RunPlan plan, TrainingProgress progress, MetricLine line)
    {
        Adopt(plan, progress);
        double seconds = line.Seconds ?? 0;
        _secondsPerStep = _secondsPerStep == 0 ? seconds : _secondsPerStep + (PaceSmoothing * (seconds - _secondsPerStep));
        double pace = seconds > 0 ? (line.Tokens ?? 0) / seconds : 0;
        Status = Status with
        {
            TrainLoss = line.TrainLoss,
            LearningRate = line.LearningRate ?? 0,
            GradientNorm = line.GradientNorm ?? 0,
            TokensPerSecond = Status.TokensPerSecond == 0 ? pace : Status.TokensPerSecond + (PaceSmoothing * (pace - Status.TokensPerSecond)),
            RemainingSeconds = (plan.TotalSteps - progress.Step) * _secondsPerStep,
        };
        Add(RunEventKind.Step, "", line);
    }

    public void Validated(TrainingProgress progress, MetricLine line)
    {
        Status = Status with
        {
            ValidationLoss = progress.ValidationLoss,
            BestValidationLoss = progress.BestValidationLoss,
            BestStep = progress.BestStep,
        };
        Add(RunEventKind.Validation, "", line);
    }

    /// <summary>The exported parameters' loss on the test set.</summary>
    public void Tested(double loss)
    {
        Status = Status with { TestLoss = loss };
        Note(FormattableString.Invariant($"test loss {loss:F4}, perplexity {Math.Exp(loss):F3}"));
    }

    public void Saved(CheckpointInventory inventory) => Status = Status with { BestCheckpoint = inventory.Best };

    public void Completed(ExportReport export)
    {
        Status = Status with { State = RunState.Completed, Exported = export.Path, WeightsSha256 = export.WeightsSha256, RemainingSeconds = 0 };
        Note($"exported {export.Path}");
    }

    private void Adopt(RunPlan plan, TrainingProgress progress)
    {
        int begun = progress.Step == 0 ? 0 : plan.Windows.Locate(progress.Step).Epoch + 1;
        bool ended = progress.Step > 0 && plan.Windows.Locate(progress.Step).IsLastOfEpoch;
        Status = Status with
        {
            Step = progress.Step,
            Epoch = begun,
            EpochsCompleted = ended ? begun : Math.Max(0, begun - 1),
            ValidationLoss = progress.ValidationLoss,
            BestValidationLoss = progress.BestValidationLoss,
            BestStep = progress.BestStep,
            Tokens = progress.Tokens,
            PaddingTokens = progress.PaddingTokens,
            Seconds = progress.Seconds,
        };
    }

    private void Add(RunEventKind kind, string text, MetricLine? metric)
    {
        _events.Enqueue(new RunEvent(++_sequence, kind, Status.Step, text, metric));
        if (_events.Count > EventsKept) _events.Dequeue();
    }

    private static string ShardText(DeviceShare share) =>
        share.EndShard - share.FirstShard == 1 ? $"shard {share.FirstShard}" : $"shards {share.FirstShard}-{share.EndShard - 1}";
}
