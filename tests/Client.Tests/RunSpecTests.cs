using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.Tests;

/// <summary>What OptionTests leaves open: each option alone, the JSON form's words, and names that were mistyped.</summary>
public sealed class RunSpecTests
{
    private static readonly RunSpec Sound = new() { Data = "x.fasta" };

    public static TheoryData<string> Keys => [.. RunOptions.All.Select(option => option.Key)];

    public static TheoryData<RunSpec, string> UnsoundSpecs => new()
    {
        { Sound with { LearningRate = 0 }, "learningRate is 0; it must be above 0." },
        { Sound with { LearningRate = double.PositiveInfinity }, "learningRate is Infinity; it must be above 0." },
        { Sound with { SeqLength = -1 }, "seqLength is -1; it must be at least 2, or 0 for the model's positions." },
        { Sound with { BucketByLength = true, Padding = Padding.MaxLength }, "bucketByLength is true, which padding max_length has no use for: every record is padded to seqLength; take padding longest." },
        { Sound with { ValFraction = double.NaN }, "valFraction is NaN; it must be at least 0 and below 1." },
        { Sound with { ValEvery = "0" }, "valEvery is '0'; it must be a number of steps such as '50', or of epochs such as '1epoch'." },
        { Sound with { GradientClip = double.NaN }, "gradientClip is NaN; it must be 0 (off) or above." },
        { Sound with { WeightDecay = double.PositiveInfinity }, "weightDecay is Infinity; it must be 0 or above." },
        { Sound with { WarmupSteps = -1 }, "warmupSteps is -1; it must be at least 0." },
        { Sound with { WarmupSteps = 5, Schedule = LearningRateScheduleKind.Plateau }, "warmupSteps is 5, which the schedule has no use for; take schedule linear or cosine." },
        { Sound with { KeepBest = -2 }, "keepBest is -2; it must be at least 1, or -1 for all." },
        { Sound with { EarlyStoppingPatience = -1 }, "earlyStoppingPatience is -1; it must be at least 0." },
        { Sound with { CheckpointName = "" }, "checkpointName is ''; it must be 1 to 100 letters, digits, '.', '_' and '-', the first not a dot." },
        { Sound with { CheckpointName = ".hidden" }, "checkpointName is '.hidden'; it must be 1 to 100 letters, digits, '.', '_' and '-', the first not a dot." },
        { Sound with { CheckpointName = @"a\b" }, @"checkpointName is 'a\b'; it must be 1 to 100 letters, digits, '.', '_' and '-', the first not a dot." },
    };

    public static TheoryData<RunSpec, string> BoundlessSpecs => new()
    {
        { Sound with { BatchSize = 65_537 }, "batchSize is 65537; it must be at most 65536." },
        { Sound with { Shards = int.MaxValue }, "shards is 2147483647; it must be at most 65536." },
        { Sound with { AccumulationSteps = 65_537 }, "accumulationSteps is 65537; it must be at most 65536." },
        { Sound with { Epochs = int.MaxValue }, "epochs is 2147483647; it must be at most 1000000." },
        { Sound with { MaxSteps = long.MaxValue }, "maxSteps is 9223372036854775807; it must be at most 1000000000000." },
        { Sound with { Threads = 1_000_000_000 }, "threads is 1000000000; it must be at most 1024." },
        { Sound with { MaxDevices = int.MaxValue }, "maxDevices is 2147483647; it must be at most 65536." },
        { Sound with { SeqLength = (1 << 24) + 1 }, "seqLength is 16777217; it must be at most 16777216." },
        { Sound with { Shards = 65_536, BatchSize = 65_536 }, "shards × batchSize × accumulationSteps is 42949672960 records a step; it must be at most 2147483647." },
        { Sound with { BatchSize = 65_536, SeqLength = 1 << 20 }, "A micro-batch of batchSize 65536 and sequences of 1048576 tokens has 68719476736 tokens; it must have at most 134217728." },
        { Sound with { Data = null! }, "data is null; it must be a text, which may be empty." },
        { Sound with { KeyPrefix = null! }, "keyPrefix is null; it must be a text, which may be empty." },
        { Sound with { Weights = "a\0b" }, "weights has the control character U+0000 at letter 2; it must have none." },
        { Sound with { Output = "a\nb" }, "output has the control character U+000A at letter 2; it must have none." },
        { Sound with { Data = "a\n\tb" }, "data has the control character U+0009 at letter 3; it must have none." },
        { Sound with { Model = "x" + (char)0xD800 }, "model has half a character at letter 2; it must be Unicode." },
        { Sound with { Data = new string('a', 4_097) }, "data has a path of 4097 letters; it must have at most 4096." },
        { Sound with { ValEvery = new string('1', 101) }, "valEvery has 101 letters; it must have at most 100." },
        { Sound with { Schedule = (LearningRateScheduleKind)7 }, "schedule is 7, which is none of its values." },
    };

    [Theory]
    [MemberData(nameof(UnsoundSpecs))]
    [MemberData(nameof(BoundlessSpecs))]
    public void An_unsound_value_has_its_whole_sentence(RunSpec spec, string sentence) => Assert.Equal([sentence], spec.Validate());

    [Fact]
    public void All_that_is_wrong_is_said_not_only_the_first() =>
        Assert.Equal(["batchSize is 0; it must be at least 1.", "epochs is -3; it must be at least 1."], (Sound with { BatchSize = 0, Epochs = -3 }).Validate());

    [Theory]
    [MemberData(nameof(Keys))]
    public void An_option_changes_its_own_value_and_no_other(string key)
    {
        var defaults = new TrainSettings();
        var option = RunOptions.Find(key, "the test");
        var other = Other(option.Get(defaults), option.Placeholder);
        var changed = option.Set(defaults, other);
        Assert.Equal(other, option.Get(changed));
        Assert.Equal([key], RunOptions.All.Where(known => known.Get(changed) != known.Get(defaults)).Select(known => known.Key));
        Assert.Equal(defaults, option.Set(changed, option.Get(defaults)));
    }

    [Theory]
    [InlineData("0,001")]
    [InlineData("1,000")]
    [InlineData("0x10")]
    [InlineData("1e-5x")]
    [InlineData("")]
    public void A_number_with_a_comma_is_no_number(string text)
    {
        var exception = Assert.Throws<UsageException>(() => RunOptions.Find("learningRate", "the test").Set(new TrainSettings(), text));
        Assert.Equal($"learningRate is '{text}'; expected a number.", exception.Message);
        Assert.Throws<UsageException>(() => RunOptions.Find("epochs", "the test").Set(new TrainSettings(), text));
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("99999999999")]
    public void A_whole_number_is_whole_and_fits(string text) =>
        Assert.Throws<UsageException>(() => RunOptions.Find("batchSize", "the test").Set(new TrainSettings(), text));

    [Fact]
    public void The_json_form_uses_the_words_that_options_use_and_is_read_back()
    {
        AssertWords<Precision>(value => Sound with { Precision = value }, "precision", "fp32", "bf16");
        AssertWords<Precision>(value => Sound with { Exchange = value }, "exchange", "fp32", "bf16");
        AssertWords<Padding>(value => Sound with { Padding = value }, "padding", "longest", "max_length");
        AssertWords<PadCounting>(value => Sound with { PadTokens = value }, "padTokens", "ignore", "count");
        AssertWords<GradientScalingMode>(value => Sound with { GradientScaling = value }, "gradientScaling", "tokens", "micro-batches", "accumulation-steps");
        AssertWords<OptimizerKind>(value => Sound with { Optimizer = value }, "optimizer", "adam", "adamw");
        AssertWords<LearningRateScheduleKind>(value => Sound with { Schedule = value }, "schedule", "constant", "linear", "cosine", "plateau");
    }

    [Theory]
    [InlineData("epoch", "epochs")]
    [InlineData("BATCHSIZE", "batchSize")]
    [InlineData("learnigRate", "learningRate")]
    [InlineData("acumulationStep", "accumulationSteps")]
    [InlineData("sed", "seed")]
    public void A_mistyped_key_is_answered_with_the_nearest(string typed, string expected)
    {
        Assert.Equal(expected, NearestName.Of(typed, RunOptions.All.Select(option => option.Key)));
        Assert.Equal($"here has an unknown key '{typed}'; did you mean '{expected}'?", Assert.Throws<UsageException>(() => RunOptions.Find(typed, "here")).Message);
    }

    [Fact]
    public void Without_candidates_the_nearest_name_is_the_name() => Assert.Equal("x", NearestName.Of("x", []));

    private static void AssertWords<T>(Func<T, RunSpec> with, string key, params string[] words)
        where T : struct, Enum
    {
        Assert.Equal(words, EnumText.Words<T>());
        foreach (var (value, word) in Enum.GetValues<T>().Zip(words))
        {
            var json = JsonSerializer.Serialize(with(value), RunSpec.JsonOptions);
            Assert.Contains($"\"{key}\": \"{word}\"", json);
            Assert.Equal(with(value), JsonSerializer.Deserialize<RunSpec>(json, RunSpec.JsonOptions));
            Assert.Equal(value, EnumText.Parse<T>(word.ToUpperInvariant()));
        }
    }

    // A value that the option has not by default.
    private static string Other(string value, string placeholder) => (value, placeholder) switch
    {
        ("true", _) => "false",
        ("false", _) => "true",
        (_, "N") => value == "17" ? "18" : "17",
        (_, "X") => "0.375",
        (_, "N|Nepochs" or "FASTA" or "PATH" or "FOLDER" or "TEXT" or "PREFIX" or "NAME|PATH") => "other",
        _ => placeholder.Split('|')[^1],
    };
}
