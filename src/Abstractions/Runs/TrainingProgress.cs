namespace GenSlmOrleans.Abstractions;

/// <summary>
/// What a run has to remember besides weights and moments to go on to the same bits: everything else is a function of
/// the spec and the step number. Part of every checkpoint.
/// </summary>
[GenerateSerializer, Immutable, Alias("genslm.TrainingProgress")]
public sealed record TrainingProgress
{
    /// <summary>Optimizer steps applied.</summary>
    [Id(0)] public long Step { get; init; }
    [Id(1)] public long Tokens { get; init; }
    [Id(2)] public long PaddingTokens { get; init; }

    /// <summary>Wall time of the run so far, whatever it went to.</summary>
    [Id(3)] public double Seconds { get; init; }
    [Id(4)] public double? TrainLoss { get; init; }
    [Id(5)] public double? ValidationLoss { get; init; }
    [Id(6)] public double? BestValidationLoss { get; init; }
    [Id(7)] public long? BestStep { get; init; }

    /// <summary>State of the plateau schedule: how often the rate was cut, lowest loss seen, validations since.</summary>
    [Id(8)] public int PlateauReductions { get; init; }
    [Id(9)] public double? PlateauBest { get; init; }
    [Id(10)] public int PlateauBadCount { get; init; }

    /// <summary>State of early stopping: lowest loss seen, validations since.</summary>
    [Id(11)] public double? EarlyStoppingBest { get; init; }
    [Id(12)] public int EarlyStoppingBadCount { get; init; }

    /// <summary>Early stopping has ended the run.</summary>
    [Id(13)] public bool StoppedEarly { get; init; }

    /// <summary>What <see cref="Seconds"/> went to; null in what was stored before it was kept.</summary>
    [Id(14)] public RunSeconds? Spent { get; init; }
}

/// <summary>What a run's wall time went to, in seconds.</summary>
/// <param name="Preparing">Opening data, making replicas and partitions, taking over, going back to a checkpoint.</param>
/// <param name="Stepping">Optimizer steps, from one applied step to the next.</param>
/// <param name="Validating">Validation and test.</param>
/// <param name="Checkpointing">What training waited for a checkpoint.</param>
/// <param name="Waiting">Waiting for devices.</param>
[GenerateSerializer, Immutable, Alias("genslm.RunSeconds")]
public sealed record RunSeconds(
    [property: Id(0)] double Preparing = 0, [property: Id(1)] double Stepping = 0, [property: Id(2)] double Validating = 0, [property: Id(3)] double Checkpointing = 0, [property: Id(4)] double Waiting = 0)
{
    /// <summary>All of it.</summary>
    public double Total => Preparing + Stepping + Validating + Checkpointing + Waiting;

    /// <summary>The same with the use's name in front.</summary>
    public IEnumerable<(string Use, double Seconds)> ByUse() =>
        [("preparing", Preparing), ("stepping", Stepping), ("validating", Validating), ("checkpointing", Checkpointing), ("waiting", Waiting)];

    public static RunSeconds operator +(RunSeconds left, RunSeconds right) => new(
        left.Preparing + right.Preparing, left.Stepping + right.Stepping, left.Validating + right.Validating, left.Checkpointing + right.Checkpointing, left.Waiting + right.Waiting);
}
