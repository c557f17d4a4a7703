using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What a run says of itself: its status and the last few thousand events. Touched on the run grain's scheduler only.</summary>
internal sealed class RunJournal(string runId, RunSurroundings surroundings)
{
    // Events of a later driver come after those of all earlier ones.
    private const long SequencesOfADriver = 1_000_000_000;

    private const int EventsKept = 4096;
    private const int EventsStored = 50;
    private const double PaceSmoothing = 0.1;

    private readonly Queue<RunEvent> _events = new();
    private long _sequence = surroundings.Record.Generation * SequencesOfADriver;
    private RunState _beforeWaiting = RunState.Running;
    private string _waitingFor = "";
    private double _secondsPerStep;

    /// <summary>The status, without events. Read by the metrics' callbacks from other threads: a whole record is swapped in.</summary>
    public RunStatus Status { get; private set; } = new()
    {
        RunId = runId,
        State = RunState.Preparing,
        Driver = surroundings.Silo,
        Generation = surroundings.Record.Generation,
    };

    public RunStatus StatusSince(long afterSequence) => Status with
    {
        Events = [.. _events.SkipWhile(known => known.Sequence <= afterSequence)],
    };

    public void Note(string text) => Add(RunEventKind.Note, text, null);

    public void Warn(string text) => Add(RunEventKind.Warning, text, null);

    public void Enter(RunState state) => Status = Status with { State = state };

    public void Fail(RunFailure failure) => Status = Status with { State = RunState.Failed, Failure = failure };

    /// <summary>The status as it will be when <paramref name="conclude"/> has been done, which it then has not.</summary>
    public RunStatus Concluded(Action conclude)
    {
        var (before, events, sequence) = (Status, _events.ToArray(), _sequence);
        conclude();
        var concluded = StatusSince(0);
        (Status, _sequence) = (before, sequence);
        _events.Clear();
        foreach (var known in events) _events.Enqueue(known);
        return concluded with { Events = [.. concluded.Events.TakeLast(EventsStored)] };
    }

    public void SiloLost(string name, bool died)
    {
        if (died) surroundings.Preparation.SiloDied();
        Add(RunEventKind.SiloLost, $"{name} is lost", null);
    }

    public void SiloChanged(string text) => Add(RunEventKind.SiloChanged, text, null);

    public void Replanned(string text)
    {
        Add(RunEventKind.Replanned, text, null);
        Count();
    }

    /// <summary>A device is about to be prepared: completes when that is known for good, should its silo die of it.</summary>
    public Task PreparingAsync() => surroundings.Preparation.BeginAsync();

    /// <exception cref="RunInputException">Silos have died too often while they prepared the run.</exception>
    public void CheckPreparation()
    {
        if (surroundings.Preparation.Objection is { } objection) throw new RunInputException(objection);
    }

    /// <summary>The run waits, and says so once for each reason.</summary>
    /// <param name="reason">What for.</param>
    /// <param name="isTold">Whether the events have it already.</param>
    public void Wait(string reason, bool isTold = false)
    {
        _ = surroundings.Preparation.WithdrawAsync();
        // The same with other figures is the same.
        var gist = string.Concat(reason.Where(letter => !char.IsAsciiDigit(letter)));
        if (Status.State == RunState.Waiting && gist == _waitingFor) return;
        if (Status.State != RunState.Waiting) _beforeWaiting = Status.State;
        _waitingFor = gist;
        if (!isTold) Note(reason);
        Enter(RunState.Waiting);
    }

    public void GoOn()
    {
        if (Status.State == RunState.Waiting) Enter(_beforeWaiting);
    }

    public void Prepared(RunTeam team, TrainingProgress progress, CheckpointInventory inventory)
    {
        Status = Status with
        {
            State = surroundings.Record.Wish == RunWish.Run ? RunState.Running : RunState.Pausing,
            Generation = surroundings.Record.Generation,
            Partitions = team.Partitions.Whole.Places,
        };
        if (inventory.Progress is { } saved && saved.Step == progress.Step) Note($"going on after step {saved.Step} from {inventory.Last}");
        Working(team.Plan, team.Pool.Ready);
    }

    /// <summary>The devices that the next step is planned on.</summary>
    public void Working(RunPlan plan, ImmutableArray<DeviceName> devices)
    {
        var shares = ShardPlacement.Shares(plan.Spec.Shards, devices);
        Count();
        if (shares.SequenceEqual(Status.Devices)) return;
        Status = Status with { Devices = shares };
        foreach (var share in shares) Note($"{share.Silo} {share.Device}: {new ShardRange(share.FirstShard, share.EndShard)}");
    }

    public void Partitions(PartitionMap map) => Status = Status with { Partitions = map.Places };

    /// <summary>Takes over the numbers that a checkpoint or the partitions remember.</summary>
    public void Resumed(RunTeam team, TrainingProgress progress, CheckpointInventory inventory)
    {
        Adopt(team.Plan, progress);
        Status = Status with { TrainLoss = progress.TrainLoss, BestCheckpoint = inventory.Best, LastCheckpoint = inventory.Last };
    }

    public void Stepped(RunPlan plan, StepDriver driver, TrainingProgress progress, MetricLine line)
    {
        Adopt(plan, progress);
        Collect(driver);
        _ = surroundings.Preparation.EndAsync();
        double seconds = line.Seconds ?? 0;
        _secondsPerStep = _secondsPerStep == 0 ? seconds : _secondsPerStep + (PaceSmoothing * (seconds - _secondsPerStep));
        double pace = seconds > 0 ? (line.Tokens ?? 0) / seconds : 0;
        Status = Status with
        {
            TrainLoss = line.TrainLoss,
            LearningRate = line.LearningRate ?? 0,
            GradientNorm = line.GradientNorm ?? 0,
            TokensPerSecond = Status.TokensPerSecond == 0 ? pace : Status.TokensPerSecond + (PaceSmoothing * (pace - Status.TokensPerSecond)),
            RemainingSeconds = Remaining(plan, progress),
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

    public void Saved(CheckpointInventory inventory) => Status = Status with { BestCheckpoint = inventory.Best, LastCheckpoint = inventory.Last };

    public void Completed(ExportReport export, RunSeconds spent)
    {
        Status = Status with
        {
            Seconds = spent.Total,
            Spent = spent,
            State = RunState.Completed,
            Exported = export.Path,
            WeightsSha256 = export.WeightsSha256,
            LedgerHead = export.LedgerHead,
            RecordsSeenExactlyOnce = export.RecordsSeenExactlyOnce,
            RemainingSeconds = 0,
        };
        Note($"exported {export.Path}");
    }

    private void Adopt(RunPlan plan, TrainingProgress progress)
    {
        int begun = progress.Step == 0 ? 0 : plan.Windows.Locate(progress.Step).Epoch + 1;
        bool ended = progress.Step > 0 && plan.Windows.Locate(progress.Step).IsLastOfEpoch;
        Status = Status with
        {
            TotalSteps = plan.TotalSteps,
            Epochs = plan.Spec.Epochs,
            Step = progress.Step,
            Epoch = begun,
            EpochsCompleted = ended ? begun : Math.Max(0, begun - 1),
            ValidationLoss = progress.ValidationLoss,
            BestValidationLoss = progress.BestValidationLoss,
            BestStep = progress.BestStep,
            Tokens = progress.Tokens,
            PaddingTokens = progress.PaddingTokens,
            Seconds = progress.Seconds,
            Spent = progress.Spent ?? new RunSeconds(Stepping: progress.Seconds),
        };
    }

    // Steps at their pace, validations and checkpoints at what they have cost so far.
    private double Remaining(RunPlan plan, TrainingProgress progress)
    {
        double steps = (plan.TotalSteps - progress.Step) * _secondsPerStep;
        long stepsPerValidation = plan.ValidationBatchCount == 0 ? 0 : plan.Validation.Count * (plan.Validation.Epochs ? plan.Windows.StepsPerEpoch : 1);
        if (stepsPerValidation == 0 || progress.Step < stepsPerValidation || progress.Spent is not { } spent) return steps;
        double ofOne = (spent.Validating + spent.Checkpointing) / (progress.Step / stepsPerValidation);
        return steps + (ofOne * ((plan.TotalSteps / stepsPerValidation) - (progress.Step / stepsPerValidation)));
    }

    /// <summary>Moves what a step driver has counted to the run's record, which outlives it.</summary>
    private void Collect(StepDriver driver)
    {
        var (reassigned, repeated) = driver.TakeCounts();
        surroundings.Record.ShardsReassigned += reassigned;
        surroundings.Record.RepeatedMicroBatches += repeated;
        Count();
    }

    private void Count() => Status = Status with
    {
        ShardsReassigned = surroundings.Record.ShardsReassigned,
        RepeatedMicroBatches = surroundings.Record.RepeatedMicroBatches,
        ReplayedSteps = surroundings.Record.ReplayedSteps,
    };

    private void Add(RunEventKind kind, string text, MetricLine? metric)
    {
        _events.Enqueue(new RunEvent(++_sequence, kind, Status.Step, text, metric, surroundings.Time.GetUtcNow()));
        if (_events.Count > EventsKept) _events.Dequeue();
    }
}
