using System.Collections.Immutable;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Abstractions;

/// <summary>Where a run stands in its life.</summary>
public enum RunState
{
    [JsonStringEnumMemberName("unknown")] Unknown,
    [JsonStringEnumMemberName("preparing")] Preparing,
    [JsonStringEnumMemberName("running")] Running,

    /// <summary>Asked to stop: the step in flight is finished and a checkpoint written.</summary>
    [JsonStringEnumMemberName("pausing")] Pausing,

    /// <summary>Stopped on request; goes on from its last checkpoint when resumed.</summary>
    [JsonStringEnumMemberName("paused")] Paused,
    [JsonStringEnumMemberName("completed")] Completed,
    [JsonStringEnumMemberName("failed")] Failed,

    /// <summary>Waits for devices: other runs come first, or there are fewer than it needs.</summary>
    [JsonStringEnumMemberName("waiting")] Waiting,

    /// <summary>Ended on request, for good; what it has saved stays.</summary>
    [JsonStringEnumMemberName("cancelled")] Cancelled,
}

/// <summary>Why a run failed.</summary>
/// <param name="BadInput">The user can mend it: the input, an option, the output folder, a full disk.</param>
/// <param name="Message">One sentence.</param>
[GenerateSerializer, Immutable, Alias("genslm.RunFailure")]
public sealed record RunFailure([property: Id(0)] bool BadInput, [property: Id(1)] string Message);

/// <summary>What a run says of itself when asked.</summary>
[GenerateSerializer, Immutable, Alias("genslm.RunStatus")]
public sealed record RunStatus
{
    [Id(0)] public string RunId { get; init; } = "";
    [Id(1)] public RunState State { get; init; }
    [Id(2)] public long Step { get; init; }
    [Id(3)] public long TotalSteps { get; init; }

    /// <summary>Epochs begun so far, from 1; 0 before the first step.</summary>
    [Id(4)] public int Epoch { get; init; }
    [Id(5)] public int Epochs { get; init; }

    /// <summary>Epochs that are done.</summary>
    [Id(6)] public int EpochsCompleted { get; init; }
    [Id(7)] public double? TrainLoss { get; init; }
    [Id(8)] public double? ValidationLoss { get; init; }
    [Id(9)] public double? BestValidationLoss { get; init; }
    [Id(10)] public long? BestStep { get; init; }

    /// <summary>Folder of the best checkpoint, empty while there is none.</summary>
    [Id(11)] public string BestCheckpoint { get; init; } = "";

    /// <summary>Folder of the last checkpoint, empty while there is none.</summary>
    [Id(40)] public string LastCheckpoint { get; init; } = "";

    [Id(12)] public double LearningRate { get; init; }
    [Id(13)] public double GradientNorm { get; init; }

    /// <summary>Real tokens trained on so far, those before a resume included.</summary>
    [Id(14)] public long Tokens { get; init; }
    [Id(15)] public long PaddingTokens { get; init; }

    /// <summary>Wall time of the run, whatever it went to; that before a resume included.</summary>
    [Id(16)] public double Seconds { get; init; }

    /// <summary>What <see cref="Seconds"/> went to.</summary>
    [Id(61)] public RunSeconds Spent { get; init; } = new();

    /// <summary>Real tokens per second over the last steps, from one applied step to the next.</summary>
    [Id(17)] public double TokensPerSecond { get; init; }

    /// <summary>Seconds to the end at that pace; null when unknown.</summary>
    [Id(18)] public double? RemainingSeconds { get; init; }

    /// <summary>Path of the exported state dict, empty until there is one.</summary>
    [Id(19)] public string Exported { get; init; } = "";

    /// <summary>SHA-256 over the final fp32 parameters, little-endian, in state-dict order; empty until the end.</summary>
    [Id(20)] public string WeightsSha256 { get; init; } = "";
    [Id(21)] public RunFailure? Failure { get; init; }

    /// <summary>What happened since the sequence number asked for, oldest first.</summary>
    [Id(22)] public ImmutableArray<RunEvent> Events { get; init; } = [];
    [Id(23)] public ImmutableArray<DeviceShare> Devices { get; init; } = [];

    /// <summary>The silo that the run grain is on.</summary>
    [Id(30)] public string Driver { get; init; } = "";

    /// <summary>Where the parameters are.</summary>
    [Id(31)] public ImmutableArray<PartitionPlace> Partitions { get; init; } = [];

    [JsonIgnore] public bool IsOver => State is RunState.Paused or RunState.Completed or RunState.Failed or RunState.Cancelled;

    /// <summary>Shards whose window was given to another device after theirs was lost.</summary>
    [Id(24)] public long ShardsReassigned { get; init; }

    /// <summary>Micro-batches that a device computed although it had computed them before in the same step.</summary>
    [Id(25)] public long RepeatedMicroBatches { get; init; }

    /// <summary>Optimizer steps done again after a fall-back to a checkpoint.</summary>
    [Id(26)] public long ReplayedSteps { get; init; }

    /// <summary>Counts the drivers and fall-backs the run has had; see <see cref="Fence"/>.</summary>
    [Id(27)] public long Generation { get; init; }

    /// <summary>Head of the ledger's chain in hexadecimal, after <see cref="Step"/>.</summary>
    [Id(28)] public string LedgerHead { get; init; } = "";

    /// <summary>Whether the ledger shows each training record exactly once in every finished epoch; null before the end.</summary>
    [Id(29)] public bool? RecordsSeenExactlyOnce { get; init; }

    /// <summary>Loss of the best weights on the test set, a mean over its counted tokens; null without one, and before the end.</summary>
    [Id(60)] public double? TestLoss { get; init; }
}

/// <summary>Which shards a device has.</summary>
[GenerateSerializer, Immutable, Alias("genslm.DeviceShare")]
public sealed record DeviceShare(
    [property: Id(0)] string Silo, [property: Id(1)] string Device, [property: Id(2)] int FirstShard, [property: Id(3)] int EndShard);

public enum RunEventKind
{
    Note,
    Warning,
    Step,
    Validation,

    /// <summary>A silo has gone: its device, or what it held, is no longer counted on.</summary>
    SiloLost,

    /// <summary>A silo has come, or is about to leave by itself.</summary>
    SiloChanged,

    /// <summary>What was lost has been planned anew.</summary>
    Replanned,
}

/// <summary>Something that happened in a run.</summary>
/// <param name="Sequence">Counts from 1 within the run.</param>
/// <param name="Kind">What happened.</param>
/// <param name="Step">The optimizer step it belongs to.</param>
/// <param name="Text">A sentence, for notes and warnings.</param>
/// <param name="Metric">The numbers, for steps and validations.</param>
/// <param name="Time">When, by the clock of the run grain's silo.</param>
[GenerateSerializer, Immutable, Alias("genslm.RunEvent")]
public sealed record RunEvent(
    [property: Id(0)] long Sequence,
    [property: Id(1)] RunEventKind Kind,
    [property: Id(2)] long Step,
    [property: Id(3)] string Text,
    [property: Id(4)] MetricLine? Metric,
    [property: Id(5)] DateTimeOffset Time);
