using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What decides the settings of the runs.</summary>
internal enum SettingsChoice
{
    /// <summary>The seed: each run has its own.</summary>
    Drawn,

    /// <summary>Nothing: all runs have the same.</summary>
    Default,
}

/// <summary>
/// The settings of one run: a function of (seed, run, size, records, files), so that a run that failed can be had again. Whatever
/// is drawn is valid together.
/// </summary>
internal static class SettingsDraw
{
    private const int FewestStepsPerEpoch = 3;
    private const int MostStepsPerEpoch = 7;
    private const int MostShards = 9;

    /// <summary>The settings of run <paramref name="run"/>.</summary>
    /// <param name="basis">What is not drawn.</param>
    /// <param name="seed">Of all runs.</param>
    /// <param name="run">From 1.</param>
    /// <param name="epochs">How long the run is: epochs of <see cref="RunSize.StepsPerEpoch"/> steps.</param>
    /// <param name="size">How much it computes.</param>
    /// <param name="files">What settings may name.</param>
    public static RunSpec Create(RunSpec basis, ulong seed, int run, int epochs, RunSize size, DrawnFiles files)
    {
        var draw = new Draw(seed, run);
        var spec = Data(basis with { Data = files.Data, Seed = draw.Of<ulong>(42, 7, 1234567) }, draw, files);
        spec = Batches(spec, draw, size);
        spec = Optimizer(spec, draw);
        spec = Validation(spec, draw, size);
        spec = Windows(spec, draw, epochs, files);
        // Last: a seed gives what it gave before there were these settings, and these besides.
        return spec with
        {
            BucketByLength = draw.Below(2) == 0 && spec.Padding == Padding.Longest,
            Exchange = draw.Of(Precision.Fp32, Precision.Fp32, Precision.Bf16),
        };
    }

    private static RunSpec Data(RunSpec spec, Draw draw, DrawnFiles files)
    {
        // None, a share, a set of its own.
        int validation = draw.Below(4);
        return spec with
        {
            ValFraction = validation switch { 0 => 0, 1 => spec.ValFraction, _ => draw.Of(0.1, 0.2, 0.4) },
            ValData = validation == 1 ? files.Validation : "",
            TestData = draw.Below(4) == 0 ? files.Validation : "",
            Weights = draw.Below(3) == 0 ? files.Weights : "",
            Shuffle = draw.Below(2) == 0,
        };
    }

    private static RunSpec Batches(RunSpec spec, Draw draw, RunSize size) => spec with
    {
        SeqLength = draw.Of(size.SequenceLengths),
        BatchSize = draw.Of(size.BatchSizes),
        Padding = draw.Of(Padding.Longest, Padding.MaxLength),
        PadTokens = draw.Of(PadCounting.Ignore, PadCounting.Ignore, PadCounting.Count),
        Precision = draw.Of(Precision.Fp32, Precision.Fp32, Precision.Bf16),
        GradientScaling = draw.Of(Enum.GetValues<GradientScalingMode>()),
    };

    private static RunSpec Optimizer(RunSpec spec, Draw draw)
    {
        var schedule = draw.Of([.. Enum.GetValues<LearningRateScheduleKind>().Where(kind => kind != LearningRateScheduleKind.Plateau || spec.Validates)]);
        bool warms = schedule is LearningRateScheduleKind.Linear or LearningRateScheduleKind.Cosine;
        return spec with
        {
            Optimizer = draw.Of(Enum.GetValues<OptimizerKind>()),
            WeightDecay = draw.Of(0, 0.01, 0.1),
            LearningRate = draw.Of(1e-3, 3e-3, 1e-2),
            GradientClip = draw.Of(0, 0.3, 1),
            OnNonfinite = draw.Of(Enum.GetValues<NonFiniteAction>()),
            Schedule = schedule,
            WarmupSteps = warms ? draw.Of(0, 1, 4, 9) : 0,
        };
    }

    private static RunSpec Validation(RunSpec spec, Draw draw, RunSize size) => spec with
    {
        ValEvery = draw.Of("1epoch", "2", "3", "5"),
        LimitValBatches = draw.Of(1, size.ValidationBatches),
        ValBatchSize = draw.Of(0, 0, 1, 5),
        KeepBest = draw.Of(1, 1, 2, 3, -1),
        EarlyStoppingPatience = spec.Validates ? draw.Of(0, 0, 1, 2) : 0,
    };

    // As many micro-batches a window as make an epoch a few steps long; what is left over makes a shorter one at its end.
    private static RunSpec Windows(RunSpec spec, Draw draw, int epochs, DrawnFiles files)
    {
        var sets = spec.ValData.Length > 0 ? new RecordSets(files.Records, 1) : new RecordSets(files.Records);
        int training = DataSplit.Create(sets, spec.ValFraction, spec.Seed).Training.Length;
        int shards = Math.Min(1 + draw.Below(MostShards), training);
        int microBatches = Ceiling(Ceiling(training, shards), spec.BatchSize);
        int window = Ceiling(microBatches, FewestStepsPerEpoch + draw.Below(MostStepsPerEpoch - FewestStepsPerEpoch + 1));
        int steps = epochs * RunSize.StepsPerEpoch;
        return spec with
        {
            Shards = shards,
            AccumulationSteps = window,
            Epochs = Ceiling(steps, Ceiling(microBatches, window)),
            MaxSteps = draw.Of(0, 0, Math.Max(1, steps * 3 / 4)),
        };
    }

    private static int Ceiling(int count, int size) => (count + size - 1) / size;

    private sealed class Draw(ulong seed, int run)
    {
        private ulong _draws;

        public int Below(int bound) => CounterRandom.Below(bound, seed, RandomPurpose.Settings, (ulong)run, _draws++);

        public T Of<T>(params ReadOnlySpan<T> choices) => choices[Below(choices.Length)];
    }
}
