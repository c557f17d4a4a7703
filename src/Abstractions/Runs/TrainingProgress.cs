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
}
