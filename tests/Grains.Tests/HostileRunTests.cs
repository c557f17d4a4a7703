using System.Reflection;
using CsCheck;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;
using Microsoft.Extensions.Logging.Abstractions;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Whatever is submitted or stored, the silos live on; nothing stands between these submissions and the run grain.</summary>
public sealed class HostileRunTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task Ten_thousand_hostile_submissions_leave_the_silos_alive()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var before = cluster.Addresses;
        int number = 0, refused = 0, unknown = 0;
        var sound = new RunSpec { Data = cluster.Output("nowhere.fasta"), Output = cluster.Output("runs"), Shards = 4 };
        await Gen.Select(Submission(sound), Name).SampleAsync(
            async (submission, name) =>
            {
                try
                {
                    await cluster.Grains.GetGrain<ITrainingRunGrain>(name.Replace("#", $"{Interlocked.Increment(ref number)}")).StartAsync(submission!);
                    return true;
                }
                catch (RunInputException)
                {
                    Interlocked.Increment(ref refused);
                    return true;
                }
                catch (ArgumentException) when (name.Length == 0)
                {
                    // No grain has such a name.
                    return true;
                }
                catch (Exception exception)
                {
                    Interlocked.Increment(ref unknown);
                    TestContext.Current.TestOutputHelper?.WriteLine(exception.ToString());
                    return false;
                }
            },
            iter: 10_000,
            threads: 8);
        Assert.Equal(0, unknown);
        Assert.True(refused > 5_000, $"only {refused} were refused");
        Assert.Equal(before, cluster.Addresses);
        var end = await cluster.RunAsync("sound", Small(cluster), Tiny);
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
    }

    [Fact]
    public async Task The_extremes_that_the_bounds_allow_train_or_end_in_a_sentence_and_leave_the_silos_alive()
    {
        const long Memory = 2L << 30;
        await using var cluster = await TestCluster.StartAsync(2, memory: () => new SiloMemory(() => [new MemoryBound(new MemoryPool("test", "what the test leaves it", Memory), Memory)]));
        var before = cluster.Addresses;
        int number = 0, begun = 0;
        await Extremes(Small(cluster)).SampleAsync(
            async spec =>
            {
                var name = $"run-{++number}";
                ITrainingRunGrain run;
                try
                {
                    run = await cluster.StartRunAsync(name, spec, Tiny);
                }
                catch (RunInputException)
                {
                    return;
                }

                var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.Step > 0 || status.State == RunState.Waiting, "a step or an end");
                if (!status.IsOver) await run.CancelAsync();
                var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run's end");
                if (end.Step > 0) begun++;
                Assert.True(end.State is RunState.Completed or RunState.Cancelled || end.Failure is { Message.Length: > 0 }, $"{end.State}: {spec}");
                Assert.DoesNotContain("   at ", end.Failure?.Message ?? "");
            },
            iter: 120,
            threads: 1);
        TestContext.Current.TestOutputHelper?.WriteLine($"{begun} of {number} took a step");
        Assert.True(begun > 5, $"only {begun} of {number} took a step");
        Assert.Equal(before, cluster.Addresses);
        var sound = await cluster.RunAsync("sound", Small(cluster), Tiny);
        Assert.True(sound.State == RunState.Completed, sound.Failure?.Message);
    }

    // Each setting by itself is sound.
    private static Gen<RunSpec> Extremes(RunSpec small)
    {
        var work = Gen.Select(AnyValue.One(1, 3, 65_536), AnyValue.One(1, 7, 65_536), AnyValue.One(1, 1, 3, 3, 12, 65_536), AnyValue.One(0, 2, 32, 32, 2048, 1 << 24), AnyValue.One(0L, 1, 1_000_000_000_000), Gen.Enum<Padding>(),
            (batch, accumulation, shards, length, steps, padding) => small with { BatchSize = batch, AccumulationSteps = accumulation, Shards = shards, SeqLength = length, MaxSteps = steps, Epochs = steps == 0 ? 1_000_000 : 1, Padding = padding });
        var learning = Gen.Select(AnyValue.One(1e-300, 1e-3, 1e300), AnyValue.One(0, 1e-300, 1e300), AnyValue.One(0, 1e-300, 1e300), Gen.Enum<LearningRateScheduleKind>(), AnyValue.One(0L, 0, 0, 1_000_000_000_000), Gen.Enum<NonFiniteAction>());
        var validation = Gen.Select(AnyValue.One(0, 0.5, 0.999999), AnyValue.One("1", "1epoch", "1000000epoch"), AnyValue.One(0, 1, int.MaxValue), AnyValue.One(0, 65_536), AnyValue.One(0, 0, int.MaxValue), AnyValue.One(-1, 1, int.MaxValue));
        return Gen.Select(work, learning, validation, (spec, learns, validates) => spec with
        {
            LearningRate = learns.Item1,
            GradientClip = learns.Item2,
            WeightDecay = learns.Item3,
            Schedule = learns.Item4,
            WarmupSteps = learns.Item5,
            OnNonfinite = learns.Item6,
            ValFraction = validates.Item1,
            ValEvery = validates.Item2,
            LimitValBatches = validates.Item3,
            ValBatchSize = validates.Item4,
            EarlyStoppingPatience = validates.Item5,
            KeepBest = validates.Item6,
        });
    }

    [Fact]
    public async Task A_stored_run_of_the_version_before_that_would_end_its_silo_is_parked_with_the_sentence()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        cluster.Store.Put("run", "poison", Fixture("run-poison"));
        var run = cluster.Grains.GetGrain<ITrainingRunGrain>("poison");
        var parked = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run to be parked");
        Assert.Equal((RunState.Failed, new RunFailure(BadInput: true, "threads is 1000000000; it must be at most 1024.")), (parked.State, parked.Failure));
        Assert.Contains("1024", (await Assert.ThrowsAsync<RunInputException>(run.ResumeAsync)).Message);
        Assert.Contains("1024", cluster.Store.Find("run", "poison"));
        Assert.Single(cluster.Silos);
    }

    [Fact]
    public async Task A_run_with_more_threads_than_a_silo_has_cores_is_refused()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        int cores = Environment.ProcessorCount;
        var refused = await Assert.ThrowsAsync<RunInputException>(() => cluster.StartRunAsync("run", Small(cluster) with { Threads = cores + 1 }, Tiny));
        Assert.StartsWith($"threads is {cores + 1}, but {cluster.Silos[0]} has {cores} core", refused.Message);
        Assert.Equal(RunState.Unknown, (await cluster.Grains.GetGrain<ITrainingRunGrain>("run").GetStatusAsync(0)).State);
    }

    [Fact]
    public async Task A_run_whose_silos_die_three_times_while_it_is_prepared_is_parked_until_it_is_resumed()
    {
        await using var cluster = await TestCluster.StartAsync(4);
        // Its keeper waits for the store: it is being prepared for as long as that.
        cluster.Store.Away = "checkpoints";
        var run = await cluster.StartRunAsync("run", Small(cluster), Tiny);
        for (int death = 1; death <= 3; death++)
        {
            var counted = $"\"Preparations\":{death}";
            await TestCluster.UntilAsync(() => Task.FromResult(cluster.Store.Find("run", "run")), stored => stored!.Contains(counted), counted);
            var driver = await TestCluster.PatientlyAsync(() => run.GetStatusAsync(long.MaxValue));
            await cluster.KillAsync(driver.Driver);
        }

        var parked = await TestCluster.UntilAsync(() => TestCluster.PatientlyAsync(() => run.GetStatusAsync(0)), status => status.IsOver, "the run to be parked");
        Assert.Equal(RunState.Failed, parked.State);
        Assert.StartsWith("Run run was being prepared when its silos died three times; ", parked.Failure!.Message);
        cluster.Store.Away = null;
        await run.ResumeAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        await TestCluster.UntilAsync(() => Task.FromResult(cluster.Store.Find("run", "run")), stored => stored!.Contains("\"Preparations\":0"), "the deaths to be forgotten");
    }

    [Fact]
    public async Task Deaths_in_later_preparations_are_not_the_settings_doing_and_it_takes_ten_in_a_row()
    {
        var record = new RunRecord();
        PreparationCount Driver() => new("run", record, () => Task.CompletedTask, NullLogger.Instance);

        for (int death = 0; death < 2; death++) await Driver().BeginAsync();
        var trained = Driver();
        await trained.BeginAsync();
        await trained.EndAsync();
        Assert.Equal((0, true), (record.Preparations, record.HasTrained));
        for (int death = 0; death < 9; death++) await Driver().BeginAsync();
        Assert.Null(Driver().Objection);
        await Driver().BeginAsync();
        Assert.StartsWith("Run run has trained with these settings, but silos died ten times in a row ", Driver().Objection);
        await Assert.ThrowsAsync<RunInputException>(Driver().BeginAsync);

        // A run that has never trained.
        record = new RunRecord();
        for (int death = 0; death < 3; death++) await Driver().BeginAsync();
        Assert.StartsWith("Run run was being prepared when its silos died three times; ", Driver().Objection);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Only_a_run_that_is_begun_again_with_the_same_settings_is_known_to_train_with_them(bool same)
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var spec = Small(cluster) with { MaxSteps = 1 };
        Assert.Equal(RunState.Completed, (await cluster.RunAsync("run", spec, Tiny)).State);
        Assert.Contains("\"HasTrained\":true", cluster.Store.Find("run", "run"));
        cluster.Store.Away = "checkpoints";
        var run = await cluster.StartRunAsync("run", spec with { Priority = same ? spec.Priority : 3 }, Tiny);
        Assert.Contains($"\"HasTrained\":{(same ? "true" : "false")}", cluster.Store.Find("run", "run"));
        cluster.Store.Away = null;
        await run.CancelAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run's end");
    }

    private static readonly Gen<string> Name = Gen.Frequency(
        (9, Gen.Const("run-#")), (1, AnyValue.One("", "..", "a/b", "a@b", "#/cpu@silo", "a\0#", new string('n', 271), "run #", "é#")));

    // Sound, but for a few settings of any value at all, or a model that cannot be.
    private static Gen<RunSubmission?> Submission(RunSpec sound)
    {
        var settings = AnyValue.Settings(typeof(RunSpec));
        var change = Gen.Int[0, settings.Length - 1].SelectMany(i => Hostile(settings[i]).Select(value => (Setting: settings[i], Value: value)));
        var spec = change.Array[0, 3].Select(changes =>
        {
            var changed = sound with { };
            foreach (var (setting, value) in changes) setting.SetValue(changed, value);
            return changed;
        });
        var submission = Gen.Select(spec, Model, Gen.Bool, (spec, model, resume) => (RunSubmission?)new RunSubmission(spec, model, resume));
        return Gen.Frequency((98, submission), (1, Gen.Const((RunSubmission?)null)), (1, Gen.Const((RunSubmission?)new RunSubmission(null!, "", false))));
    }

    private static Gen<object?> Hostile(PropertyInfo setting) =>
        setting.PropertyType == typeof(string)
            ? Gen.Frequency((2, AnyValue.Of(typeof(string))), (1, Gen.Const((object?)null)), (1, AnyValue.One<object?>("a\0", new string('x', 5_000), "\n\n", "../..", "/", "-1epoch", ".")))
            : setting.PropertyType.IsEnum ? AnyValue.One(-1, 2, 99).Select(value => (object?)Enum.ToObject(setting.PropertyType, value))
            : AnyValue.Of(setting.PropertyType);

    private static readonly Gen<string> Model = Gen.Frequency(
        (6, Gen.Const(Tiny.ToJson())),
        (1, AnyValue.One(null!, "", "{}", "[1]", new string('[', 100_000), "\"", Tiny.ToJson() + new string(' ', 1 << 20))),
        (1, Gen.Select(AnyValue.One("hidden_size\": 64", "num_hidden_layers\": 2", "vocab_size\": 69", "max_position_embeddings\": 2048", "rotary_pct\": 0.25"), AnyValue.One("-1", "0", "16384", "1048576", "16777216", "1e999", "2147483648", "\"NaN\"")).Select(
            (key, value) => Tiny.ToJson().Replace(key, key[..(key.IndexOf(':') + 2)] + value))));

    private static string Fixture(string name) => File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "fixtures", "state", name + ".json"));

    private static RunSpec Small(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(records: 24, codons: 30),
        BatchSize = 1,
        AccumulationSteps = 1,
        Shards = 2,
        SeqLength = 32,
        MaxSteps = 3,
        ValFraction = 0,
    };
}
