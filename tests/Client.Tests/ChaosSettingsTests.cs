using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Chaos;
using GenSlmOrleans.Client.Rendering;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

public sealed class ChaosSettingsTests
{
    private const int Runs = 400;

    private static readonly DrawnFiles Files = new("records.fasta", 200, "validation.fasta", "weights.safetensors");
    private static readonly RunSpec Basis = new() { Model = "tiny", Threads = 1 };
    private static readonly RunSize Small = RunSize.Of(100_000);
    private static readonly RunSize Large = RunSize.Of(25_000_000);

    [Fact]
    public void Settings_are_a_function_of_seed_and_run()
    {
        Assert.Equal(Drawn(seed: 7), Drawn(seed: 7));
        Assert.NotEqual(Drawn(seed: 7), Drawn(seed: 8));
        Assert.True(Drawn(seed: 7).Distinct().Count() > Runs - 5);
        Assert.Equal(Draw(9, 17, Small), Drawn(seed: 9)[16]);
    }

    [Fact]
    public void Whatever_is_drawn_is_valid()
    {
        foreach (var size in (RunSize[])[Small, Large])
        {
            Assert.All(Enumerable.Range(1, 10).SelectMany(seed => Drawn((ulong)seed, size)), spec => Assert.Empty(spec.Validate()));
            Assert.All(Drawn(3, size), spec => Assert.InRange(StepsOf(spec, size), 6, 40));
        }

        Assert.Empty(SettingsDraw.Create(Basis, 1, 1, 6, Small, Files with { Records = 2 }).Validate());
    }

    [Fact]
    public void Every_value_of_every_setting_comes_within_a_few_hundred_draws()
    {
        var drawn = Drawn(seed: 5);
        void Covers<T>(Func<RunSpec, T> of, params IEnumerable<T> values) => Assert.Equal([], values.Except(drawn.Select(of)));

        Covers(spec => (spec.Shuffle, spec.BucketByLength), (true, false), (false, false), (true, true), (false, true));
        Covers(spec => (spec.ValFraction, spec.ValData.Length > 0), (0, false), (0.1, false), (0.2, false), (0.4, false), (0.2, true));
        Covers(spec => spec.TestData.Length > 0, true, false);
        Covers(spec => spec.Weights.Length > 0, true, false);
        Covers(spec => spec.Precision, Enum.GetValues<Precision>());
        Covers(spec => spec.Exchange, Enum.GetValues<Precision>());
        Covers(spec => spec.GradientScaling, Enum.GetValues<GradientScalingMode>());
        Covers(spec => spec.GradientClip, 0, 0.3, 1);
        Covers(spec => (spec.Schedule, spec.WarmupSteps > 0), Schedules());
        Covers(spec => spec.EarlyStoppingPatience, 0, 1, 2);
        Covers(spec => spec.KeepBest, 1, 2, 3, -1);
        Covers(spec => spec.Shards, Enumerable.Range(1, 9));
        Covers(spec => spec.BatchSize, 1, 2, 3);
        Covers(spec => (spec.PadTokens, spec.Padding), Enum.GetValues<PadCounting>().SelectMany(pads => Enum.GetValues<Padding>().Select(padding => (pads, padding))));
        Covers(spec => (spec.Optimizer, spec.WeightDecay > 0), Enum.GetValues<OptimizerKind>().SelectMany(kind => ((bool[])[true, false]).Select(decays => (kind, decays))));
        Covers(spec => spec.ValBatchSize, 0, 1, 5);
        Covers(spec => spec.OnNonfinite, Enum.GetValues<NonFiniteAction>());
        Covers(spec => spec.MaxSteps > 0, true, false);
        Covers(spec => ValidationInterval.Parse(spec.ValEvery).Epochs, true, false);
    }

    [Fact]
    public void Many_runs_end_their_epochs_in_a_shorter_window_and_some_do_not()
    {
        bool EndsShort(RunSpec spec) => Enumerable.Range(0, spec.Shards).Any(shard => PlanOf(spec, Small) is var plan && plan.MicroBatches(shard, plan.StepsPerEpoch - 1).Count != spec.AccumulationSteps);
        int shorter = Drawn(seed: 5).Count(EndsShort);
        Assert.InRange(shorter, Runs / 2, Runs - 10);
    }

    [Fact]
    public void The_files_that_settings_name_have_the_same_content_each_time_and_records_of_many_lengths()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("data.fasta"), string.Concat(Enumerable.Range(0, 40).Select(i => $">{i}\n{string.Concat(Enumerable.Repeat("ATGAAA", 100))}\n")));
        var model = ModelPresets.Find("tiny")!;
        var (one, other) = (DrawnFiles.Write(folder.File("one"), folder.File("data.fasta"), Small, model), DrawnFiles.Write(folder.File("other"), folder.File("data.fasta"), Small, model));
        foreach (var (first, second) in ((string, string)[])[(one.Data, other.Data), (one.Validation, other.Validation), (one.Weights, other.Weights)])
            Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));
        var lengths = FastaReader.Read(one.Data).Select(record => record.Sequence.Length).ToArray();
        Assert.Equal((40, 40), (one.Records, lengths.Length));
        Assert.InRange(lengths.Distinct().Count(), 10, 40);
        Assert.All(lengths, length => Assert.InRange(length, 3, 3 * Small.LongestCodons));
        using var weights = WeightFile.Open(one.Weights);
        Assert.Equal(GptNeoXStateDict.Describe(model).Select(tensor => tensor.Name).Order(), weights.Tensors.Select(tensor => tensor.Name).Order());
    }

    [Fact]
    public void A_report_names_what_differs_from_the_defaults()
    {
        var spec = new RunSpec { Data = "/a/records.fasta", ValData = "/a/validation.fasta", Shuffle = false, Shards = 5, Schedule = LearningRateScheduleKind.Plateau };
        Assert.Equal("settings: --shards 5 --val-data validation.fasta --shuffle false --schedule plateau", ChaosText.Settings(spec));
    }

    [Fact]
    public void Silos_are_replaced_as_chosen_or_in_every_other_run_at_once()
    {
        Replacement[] Of(Replacement chosen) => [.. Enumerable.Range(1, 3).Select(new ChaosSettings { Replacements = chosen }.ReplacementOf)];
        Assert.Equal([Replacement.AtOnce, Replacement.AfterStep, Replacement.AtOnce], Of(Replacement.Alternating));
        Assert.Equal([Replacement.AfterStep], Of(Replacement.AfterStep).Distinct());
        Assert.Equal([Replacement.AtOnce], Of(Replacement.AtOnce).Distinct());
    }

    [Fact]
    public void What_large_models_are_given_is_small()
    {
        Assert.True(Large.IsLarge && !Small.IsLarge);
        Assert.All(Drawn(5, Large), spec => Assert.True(spec.SeqLength <= 16 && spec.Shards * spec.AccumulationSteps * spec.BatchSize <= 30, $"{spec}"));
    }

    private static IEnumerable<(LearningRateScheduleKind, bool)> Schedules() =>
        Enum.GetValues<LearningRateScheduleKind>().Select(kind => (kind, false)).Concat([(LearningRateScheduleKind.Linear, true), (LearningRateScheduleKind.Cosine, true)]);

    private static RunSpec Draw(ulong seed, int run, RunSize size) =>
        SettingsDraw.Create(Basis, seed, run, size.Epochs, size, Files with { Records = size.MostRecords });

    private static ImmutableArray<RunSpec> Drawn(ulong seed, RunSize? size = null) => [.. Enumerable.Range(1, Runs).Select(run => Draw(seed, run, size ?? Small))];

    private static WindowPlan PlanOf(RunSpec spec, RunSize size)
    {
        int training = DataSplit.Create(new RecordSets(size.MostRecords, spec.ValData.Length > 0 ? 1 : 0), spec.ValFraction, spec.Seed).Training.Length;
        return new WindowPlan([.. Enumerable.Range(0, spec.Shards).Select(shard => (training + shard) / spec.Shards)], spec.BatchSize, spec.AccumulationSteps);
    }

    private static long StepsOf(RunSpec spec, RunSize size) => PlanOf(spec, size).TotalSteps(spec.Epochs, spec.MaxSteps == 0 ? null : spec.MaxSteps);
}
