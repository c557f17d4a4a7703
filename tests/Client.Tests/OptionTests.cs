using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

public sealed class OptionTests
{
    [Fact]
    public void The_list_of_options_is_what_users_know() => Assert.Equal(
        "--data --model --weights --rotary-from-checkpoint --output --batch-size --accumulation-steps --learning-rate --epochs --max-steps --shards --silos --seq-length --seed " +
        "--val-fraction --val-data --test-data --frame --strip-gaps --val-every --limit-val-batches --val-batch-size --shuffle --bucket-by-length --precision --padding --key-prefix --pad-tokens --gradient-scaling --exchange --gradient-clip " +
        "--optimizer --weight-decay --schedule --warmup-steps --keep-best --checkpoint-name --early-stopping-patience --threads --on-nonfinite --priority --min-devices --max-devices --accept-other-device --resume --json",
        string.Join(' ', RunOptions.All.Select(option => option.OptionName)));

    [Fact]
    public void Every_property_of_a_spec_is_an_option()
    {
        var properties = typeof(RunSpec).GetProperties().Where(property => property.CanWrite && property.GetMethod!.IsStatic == false)
            .Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name));
        Assert.Equal(properties.Order(StringComparer.Ordinal), RunOptions.All.Select(option => option.Key).Except(["silos", "resume", "json"]).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_defaults_are_the_scripts()
    {
        var spec = new TrainSettings().Spec;
        Assert.Equal((2, 10, 1e-5, 3, 0.2, 1), (spec.BatchSize, spec.AccumulationSteps, spec.LearningRate, spec.Epochs, spec.ValFraction, spec.KeepBest));
        Assert.Equal((OptimizerKind.Adam, "1epoch", "model.", 1), (spec.Optimizer, spec.ValEvery, spec.KeyPrefix, spec.Shards));
    }

    [Fact]
    public void A_value_written_is_read_back()
    {
        var settings = Unusual();
        var again = RunOptions.All.Aggregate(new TrainSettings(), (found, option) => option.Set(found, option.Get(settings)));
        Assert.Equal(settings, again);
        Assert.NotEqual(settings, new TrainSettings());
    }

    [Fact]
    public void A_printed_run_file_and_a_run_json_make_the_same_settings()
    {
        using var folder = new TemporaryFolder();
        var settings = Unusual();
        var printed = folder.File("run.yaml");
        File.WriteAllText(printed, RunFile.Print(settings));
        Assert.Equal(settings with { Resume = false, Json = false }, RunFile.Apply(new TrainSettings(), printed));

        var json = JsonSerializer.SerializeToNode(settings.Spec, RunSpec.JsonOptions)!.AsObject();
        json["resolved"] = new System.Text.Json.Nodes.JsonObject { ["runId"] = "x", ["modelConfig"] = new System.Text.Json.Nodes.JsonObject() };
        var run = folder.File("run.json");
        File.WriteAllText(run, json.ToJsonString(RunSpec.JsonOptions));
        Assert.Equal(settings.Spec, RunFile.Apply(new TrainSettings(), run).Spec);
        Assert.Contains("\"accumulation-steps\"", File.ReadAllText(run));
        Assert.Contains("\"max_length\"", File.ReadAllText(run));
    }

    [Theory]
    [InlineData("batchSize: 2\nbatchsise: 3\n", "line 2 has an unknown key 'batchsise'; did you mean 'batchSize'?")]
    [InlineData("epochs: [1, 2]\n", "line 1: epochs is a list or a mapping; expected one value.")]
    [InlineData("data: {a: b}\n", "line 1: data is a list or a mapping; expected a file name or a list of them.")]
    [InlineData("data:\n- a.fasta\n- [b.fasta]\n", "line 3: data has an item that is a list or a mapping; expected a file name.")]
    [InlineData("stripGaps: maybe\n", "stripGaps is 'maybe'; expected true or false.")]
    [InlineData("just words\n", "is not a mapping; expected lines such as 'batchSize: 2'.")]
    [InlineData("a: b: c\n", "line 1: ")]
    [InlineData("epochs: many\n", "epochs is 'many'; expected a whole number.")]
    [InlineData("optimizer: adan\n", "optimizer is 'adan'; expected one of adam, adamw. Did you mean adam?")]
    [InlineData("shuffle: perhaps\n", "shuffle is 'perhaps'; expected true or false.")]
    public void A_bad_run_file_is_one_sentence(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("run.yaml");
        File.WriteAllText(path, content);
        var exception = Assert.Throws<UsageException>(() => RunFile.Apply(new TrainSettings(), path));
        Assert.Contains(expected, exception.Message);
        Assert.DoesNotContain("\n", exception.Message);
    }

    public static TheoryData<RunSpec, string> UnsoundSpecs() => new()
    {
        { new RunSpec(), "data is empty" },
        { Sound with { BatchSize = 0 }, "batchSize is 0; it must be at least 1." },
        { Sound with { AccumulationSteps = 0 }, "accumulationSteps is 0" },
        { Sound with { LearningRate = double.NaN }, "learningRate is NaN; it must be above 0." },
        { Sound with { Epochs = 0 }, "epochs is 0" },
        { Sound with { MaxSteps = -1 }, "maxSteps is -1" },
        { Sound with { Shards = 0 }, "shards is 0" },
        { Sound with { SeqLength = 1 }, "seqLength is 1" },
        { Sound with { ValFraction = 1 }, "valFraction is 1" },
        { Sound with { ValEvery = "often" }, "valEvery is 'often'" },
        { Sound with { LimitValBatches = -1 }, "limitValBatches is -1" },
        { Sound with { ValBatchSize = -1 }, "valBatchSize is -1; it must be at least 0" },
        { Sound with { ValBatchSize = 65_536, SeqLength = 65_536 }, "A batch of valBatchSize 65536 and sequences of 65536 tokens" },
        { Sound with { GradientClip = -1 }, "gradientClip is -1" },
        { Sound with { WeightDecay = -1 }, "weightDecay is -1" },
        { Sound with { WarmupSteps = 5 }, "warmupSteps is 5, which the schedule has no use for" },
        { Sound with { KeepBest = 0 }, "keepBest is 0" },
        { Sound with { EarlyStoppingPatience = 2, ValFraction = 0 }, "earlyStoppingPatience needs a validation loss" },
        { Sound with { Schedule = LearningRateScheduleKind.Plateau, ValFraction = 0 }, "schedule plateau needs a validation loss" },
        { Sound with { CheckpointName = "../x" }, "checkpointName is '../x'" },
        { Sound with { Threads = 0 }, "threads is 0" },
        { Sound with { RotaryFromCheckpoint = true }, "rotaryFromCheckpoint is true, but weights is empty" },
    };

    [Theory]
    [MemberData(nameof(UnsoundSpecs))]
    public void An_unsound_spec_is_one_sentence_that_names_the_field(RunSpec spec, string expected)
    {
        Assert.Empty(Sound.Validate());
        Assert.Contains(expected, Assert.Single(spec.Validate()));
    }

    [Theory]
    [InlineData("50", 50, false)]
    [InlineData("50 steps", 50, false)]
    [InlineData("1epoch", 1, true)]
    [InlineData("2 epochs", 2, true)]
    public void An_interval_counts_steps_or_epochs(string text, int count, bool epochs)
    {
        Assert.True(ValidationInterval.TryParse(text, out var interval));
        Assert.Equal((count, epochs), (interval.Count, interval.Epochs));
    }

    private static RunSpec Sound { get; } = new() { Data = "x.fasta" };

    private static TrainSettings Unusual() => new()
    {
        Silos = 3,
        Resume = true,
        Json = true,
        Spec = new RunSpec
        {
            Data = "it's: data.fasta",
            Model = "genslm_25M_patric",
            Weights = "w.pt",
            RotaryFromCheckpoint = true,
            Output = "o u t",
            BatchSize = 3,
            AccumulationSteps = 4,
            LearningRate = 3.25e-4,
            Epochs = 5,
            MaxSteps = 6,
            Shards = 7,
            SeqLength = 8,
            Seed = ulong.MaxValue,
            ValFraction = 0.125,
            ValEvery = "9",
            LimitValBatches = 10,
            ValBatchSize = 7,
            Shuffle = false,
            BucketByLength = true,
            Precision = Precision.Bf16,
            Padding = Padding.MaxLength,
            PadTokens = PadCounting.Count,
            GradientScaling = GradientScalingMode.AccumulationSteps,
            Exchange = Precision.Bf16,
            GradientClip = 0.5,
            Optimizer = OptimizerKind.AdamW,
            WeightDecay = 0.01,
            Schedule = LearningRateScheduleKind.Cosine,
            WarmupSteps = 11,
            KeepBest = -1,
            CheckpointName = "flu",
            EarlyStoppingPatience = 12,
            KeyPrefix = "",
            Threads = 13,
            ValData = "val.h5\nmore val's.fasta",
            TestData = "test.h5",
            Frame = FrameChoice.LongestOpen,
            StripGaps = true,
        },
    };
}
