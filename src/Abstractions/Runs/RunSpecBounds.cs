namespace GenSlmOrleans.Abstractions;

/// <summary>
/// The bounds of a spec's settings. What they multiply to is bounded too, so that no count of a run's overflows and nothing
/// absurd is allocated before it is known whether the run can be had at all.
/// </summary>
public static class RunSpecBounds
{
    private const int MostParts = 65_536;
    private const int MostEpochs = 1_000_000;
    private const long MostSteps = 1_000_000_000_000;
    private const int LongestSequence = 1 << 24;

    // Of any machine; those of the run's devices bound it further.
    private const int MostThreads = 1_024;

    private const long MostRecordsOfStep = int.MaxValue;
    private const long MostTokensOfMicroBatch = 1 << 27;

    /// <summary>What is wrong, a sentence each; texts and choices have the right form already.</summary>
    public static IEnumerable<string> Problems(RunSpec spec) =>
        [.. Work(spec), .. Learning(spec), .. Validation(spec), .. Output(spec), .. Devices(spec)];

    private static IEnumerable<string> Work(RunSpec spec)
    {
        if (spec.Data.Length == 0) yield return "data is empty; it must name a FASTA or HDF5 file.";
        if (Outside("batchSize", spec.BatchSize, 1, MostParts) is { } batchSize) yield return batchSize;
        if (Outside("accumulationSteps", spec.AccumulationSteps, 1, MostParts) is { } accumulationSteps) yield return accumulationSteps;
        if (Outside("epochs", spec.Epochs, 1, MostEpochs) is { } epochs) yield return epochs;
        if (Outside("maxSteps", spec.MaxSteps, 0, MostSteps) is { } maxSteps) yield return maxSteps;
        if (Outside("shards", spec.Shards, 1, MostParts) is { } shards) yield return shards;
        if (spec.SeqLength is < 0 or 1) yield return $"seqLength is {spec.SeqLength}; it must be at least 2, or 0 for the model's positions.";
        if (spec.BucketByLength && spec.Padding == Padding.MaxLength) yield return "bucketByLength is true, which padding max_length has no use for: every record is padded to seqLength; take padding longest.";
        if (spec.SeqLength > LongestSequence) yield return $"seqLength is {spec.SeqLength}; it must be at most {LongestSequence}.";
        if (IsPart(spec.Shards) && IsPart(spec.BatchSize) && IsPart(spec.AccumulationSteps) && (long)spec.Shards * spec.BatchSize * spec.AccumulationSteps is var records and > MostRecordsOfStep)
            yield return $"shards × batchSize × accumulationSteps is {records} records a step; it must be at most {MostRecordsOfStep}.";
        if (IsPart(spec.BatchSize) && spec.ValBatchSize is >= 0 and <= MostParts && MicroBatch(spec, spec.SeqLength) is { } micro) yield return micro;
    }

    private static IEnumerable<string> Learning(RunSpec spec)
    {
        if (!(spec.LearningRate > 0) || !double.IsFinite(spec.LearningRate)) yield return $"learningRate is {spec.LearningRate:R}; it must be above 0.";
        if (!(spec.GradientClip >= 0) || !double.IsFinite(spec.GradientClip)) yield return $"gradientClip is {spec.GradientClip:R}; it must be 0 (off) or above.";
        if (!(spec.WeightDecay >= 0) || !double.IsFinite(spec.WeightDecay)) yield return $"weightDecay is {spec.WeightDecay:R}; it must be 0 or above.";
        if (Outside("warmupSteps", spec.WarmupSteps, 0, MostSteps) is { } warmupSteps) yield return warmupSteps;
        if (spec.WarmupSteps > 0 && spec.Schedule is LearningRateScheduleKind.Constant or LearningRateScheduleKind.Plateau)
            yield return $"warmupSteps is {spec.WarmupSteps}, which the schedule has no use for; take schedule linear or cosine.";
        if (spec.Schedule == LearningRateScheduleKind.Plateau && !spec.Validates) yield return "schedule plateau needs a validation loss, but valFraction is 0 and valData is empty.";
    }

    private static IEnumerable<string> Validation(RunSpec spec)
    {
        if (!(spec.ValFraction is >= 0 and < 1)) yield return $"valFraction is {spec.ValFraction:R}; it must be at least 0 and below 1.";
        if (!ValidationInterval.TryParse(spec.ValEvery, out _)) yield return $"valEvery is '{spec.ValEvery}'; it must be {ValidationInterval.Expected}.";
        if (Outside("limitValBatches", spec.LimitValBatches, 0, int.MaxValue) is { } limitValBatches) yield return limitValBatches;
        if (Outside("valBatchSize", spec.ValBatchSize, 0, MostParts) is { } valBatchSize) yield return valBatchSize;
        if (Outside("earlyStoppingPatience", spec.EarlyStoppingPatience, 0, int.MaxValue) is { } patience) yield return patience;
        if (spec.EarlyStoppingPatience > 0 && !spec.Validates) yield return "earlyStoppingPatience needs a validation loss, but valFraction is 0 and valData is empty.";
    }

    private static IEnumerable<string> Output(RunSpec spec)
    {
        if (spec.KeepBest is 0 or < -1) yield return $"keepBest is {spec.KeepBest}; it must be at least 1, or -1 for all.";
        if (spec.CheckpointName.Length == 0 || spec.CheckpointName[0] == '.' || !spec.CheckpointName.All(RunName.IsLetter))
            yield return $"checkpointName is '{spec.CheckpointName}'; it must be 1 to {RunName.LongestChosen} letters, digits, '.', '_' and '-', the first not a dot.";
        if (spec.RotaryFromCheckpoint && spec.Weights.Length == 0) yield return "rotaryFromCheckpoint is true, but weights is empty; name the file whose rotary frequencies are meant.";
    }

    private static IEnumerable<string> Devices(RunSpec spec)
    {
        if (Outside("threads", spec.Threads, 1, MostThreads) is { } threads) yield return threads;
        if (spec.MinDevices < 1) yield return $"minDevices is {spec.MinDevices}; it must be at least 1.";
        else if (spec.Shards >= 1 && spec.MinDevices > spec.Shards) yield return $"minDevices is {spec.MinDevices}; it must be at most shards, which is {spec.Shards}: a device without a shard has nothing to do.";
        if (Outside("maxDevices", spec.MaxDevices, 0, MostParts) is { } maxDevices) yield return maxDevices;
        else if (spec.MaxDevices != 0 && spec.MaxDevices < spec.MinDevices) yield return $"maxDevices is {spec.MaxDevices}; it must be at least minDevices, which is {spec.MinDevices}, or 0.";
    }

    /// <summary>What is wrong with the size of a micro-batch, or of a batch of validation, of records cut to <paramref name="sequenceLimit"/> tokens.</summary>
    public static string? MicroBatch(RunSpec spec, int sequenceLimit) =>
        TooLarge("A micro-batch of batchSize", spec.BatchSize, sequenceLimit) ?? TooLarge("A batch of valBatchSize", spec.ValBatchSize, sequenceLimit);

    private static string? TooLarge(string what, int records, int sequenceLimit) =>
        (long)records * sequenceLimit is var tokens and > MostTokensOfMicroBatch
            ? $"{what} {records} and sequences of {sequenceLimit} tokens has {tokens} tokens; it must have at most {MostTokensOfMicroBatch}."
            : null;

    private static bool IsPart(int number) => number is >= 1 and <= MostParts;

    private static string? Outside(string field, long found, long least, long most) =>
        found < least ? $"{field} is {found}; it must be at least {least}."
        : found > most ? $"{field} is {found}; it must be at most {most}."
        : null;
}
