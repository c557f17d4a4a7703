using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>No option does nothing: what is said to decide the weights changes them, what is not leaves every bit.</summary>
public sealed class OptionEffectTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task Options_that_decide_the_weights_change_them_and_others_do_not()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var settings = new RunSpec { Data = cluster.Fasta(21, 24), AccumulationSteps = 3, LearningRate = 1e-3, Epochs = 2, Shards = 2, Schedule = LearningRateScheduleKind.Linear };
        var expected = await RunAsync("settings", settings);
        var gapped = cluster.Output("gapped.fasta");
        await File.WriteAllTextAsync(gapped, (await File.ReadAllTextAsync(cluster.Fasta(20, 24), TestContext.Current.CancellationToken)).Replace("GC", "G-C"), TestContext.Current.CancellationToken);

        var deciding = Deciding(settings, otherData: cluster.Fasta(5, 24), gapped);
        var seen = new Dictionary<string, string>(StringComparer.Ordinal) { [expected.WeightsSha256] = "the settings" };
        foreach (var (option, spec) in deciding)
        {
            var hash = (await RunAsync(option, spec)).WeightsSha256;
            Assert.True(seen.TryAdd(hash, option), $"{option} ends in the weights of {seen[hash]}");
        }

        var indifferent = new Dictionary<string, RunSpec>(StringComparer.Ordinal)
        {
            ["valEvery"] = settings with { ValEvery = "1" },
            ["testData"] = settings with { TestData = cluster.Fasta(5, 24) },
            ["frame 0"] = settings with { Frame = FrameChoice.Zero },
            ["stripGaps without gaps"] = settings with { StripGaps = true },
            ["valBatchSize"] = settings with { ValBatchSize = 1 },
            ["limitValBatches"] = settings with { LimitValBatches = 1 },
            ["keepBest"] = settings with { KeepBest = -1 },
            ["checkpointName"] = settings with { CheckpointName = "flu" },
            ["keyPrefix"] = settings with { KeyPrefix = "" },
            ["patience that is never used up"] = settings with { EarlyStoppingPatience = 50 },
        };
        foreach (var (option, spec) in indifferent) Assert.True(expected.WeightsSha256 == (await RunAsync(option, spec)).WeightsSha256, option);

        // rotaryFromCheckpoint: the console puts the frequencies of the weights' file into the configuration.
        var stored = await cluster.RunAsync("rotaryFromCheckpoint", settings, Tiny with { RotaryFrequencies = new RotaryFrequencies([1f, 0.015f]) });
        Assert.Equal((RunState.Completed, true), (stored.State, seen.TryAdd(stored.WeightsSha256, "rotaryFromCheckpoint")));
        using (var export = WeightFile.Open(Path.Combine(cluster.Output("rotaryFromCheckpoint"), "best_model_state_dict.pth")))
        {
            var found = RotaryFrequencies.Read(export, StateDictNames.Match(export.Tensors, GptNeoXStateDict.Describe(Tiny), export.Path), Tiny);
            Assert.Equal([1f, 0.015f], found.Values);
        }

        // Padding to the sequence length changes sums of different lengths at most.
        var padded = await RunAsync("padding", settings with { Padding = Padding.MaxLength, SeqLength = 40 });
        Assert.True(padded.PaddingTokens > expected.PaddingTokens);
        Assert.Equal(expected.BestValidationLoss!.Value, padded.BestValidationLoss!.Value, 1e-4);

        async Task<RunStatus> RunAsync(string option, RunSpec spec)
        {
            var status = await cluster.RunAsync(option.Replace(' ', '-'), spec, Tiny);
            Assert.True(status.State == RunState.Completed, $"{option}: {status.Failure?.Message}");
            return status;
        }
    }

    private static Dictionary<string, RunSpec> Deciding(RunSpec settings, string otherData, string gapped) => new(StringComparer.Ordinal)
    {
        ["batchSize"] = settings with { BatchSize = 3 },
        ["accumulationSteps"] = settings with { AccumulationSteps = 2 },
        ["learningRate"] = settings with { LearningRate = 2e-3 },
        ["epochs"] = settings with { Epochs = 3 },
        ["maxSteps"] = settings with { MaxSteps = 2 },
        ["shards"] = settings with { Shards = 3 },
        ["seqLength"] = settings with { SeqLength = 10 },
        ["seed"] = settings with { Seed = 7 },
        ["valFraction"] = settings with { ValFraction = 0.5 },
        ["valData"] = settings with { ValData = otherData },
        ["frame"] = settings with { Frame = FrameChoice.One },
        ["stripGaps"] = settings with { Data = gapped, StripGaps = true },
        ["gaps that stay"] = settings with { Data = gapped },
        ["shuffle"] = settings with { Shuffle = false },
        ["bucketByLength"] = settings with { BucketByLength = true },
        ["precision"] = settings with { Precision = Precision.Bf16 },
        ["exchange"] = settings with { Exchange = Precision.Bf16 },
        ["padTokens"] = settings with { PadTokens = PadCounting.Count },
        ["gradientScaling micro-batches"] = settings with { GradientScaling = GradientScalingMode.MicroBatches },
        ["gradientScaling accumulation-steps"] = settings with { GradientScaling = GradientScalingMode.AccumulationSteps },
        ["gradientClip"] = settings with { GradientClip = 1e-6 },
        ["weightDecay"] = settings with { WeightDecay = 0.1 },
        ["optimizer"] = settings with { WeightDecay = 0.1, Optimizer = OptimizerKind.AdamW },
        ["schedule"] = settings with { Schedule = LearningRateScheduleKind.Cosine },
        ["warmupSteps"] = settings with { WarmupSteps = 3 },
        ["earlyStoppingPatience"] = settings with { EarlyStoppingPatience = 1, ValEvery = "1", LearningRate = 10 },
    };
}
