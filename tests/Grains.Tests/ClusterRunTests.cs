using System.Diagnostics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Whole runs through the real grains.</summary>
public sealed class ClusterRunTests
{
    /// <summary>3.2 million parameters: four blocks, so that there are partitions to cross.</summary>
    private static readonly HuggingFaceConfig FourBlocks = ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 };

    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task Blocks_partitions_and_silos_change_no_bit()
    {
        await using var one = await TestCluster.StartAsync(1);
        await using var three = await TestCluster.StartAsync(3);
        var spec = new RunSpec { Data = one.Fasta(24, 40), Shards = 5, AccumulationSteps = 2, LearningRate = 1e-3, Epochs = 2, GradientClip = 0.5, Optimizer = OptimizerKind.AdamW, WeightDecay = 0.01 };
        var expected = await one.RunAsync("one", spec, FourBlocks);
        var found = await three.RunAsync("three", spec, FourBlocks);
        Assert.Equal((RunState.Completed, RunState.Completed), (expected.State, found.State));
        Assert.Equal(3, found.Devices.Length);
        Assert.Equal(expected.WeightsSha256, found.WeightsSha256);
        Assert.Equal(expected.BestValidationLoss, found.BestValidationLoss);
        Assert.Equal(Metrics(expected), Metrics(found));

        static IEnumerable<(double?, double?)> Metrics(RunStatus status) =>
            status.Events.Where(happened => happened.Metric is not null).Select(happened => (happened.Metric!.TrainLoss, happened.Metric.GradientNorm));
    }

    [Fact]
    public async Task Records_of_similar_length_come_together_whatever_the_silos_and_wherever_in_an_epoch_the_run_goes_on()
    {
        await using var one = await TestCluster.StartAsync(1);
        await using var two = await TestCluster.StartAsync(2);
        // Five steps an epoch, the last a shorter one.
        var spec = new RunSpec { Data = MixedFasta(one, 60), Shards = 2, BatchSize = 3, AccumulationSteps = 2, LearningRate = 1e-3, Epochs = 2, BucketByLength = true, ValFraction = 0.1 };
        var expected = await one.RunAsync("one", spec, Tiny);
        var drawn = await one.RunAsync("drawn", spec with { BucketByLength = false }, Tiny);
        Assert.Equal((RunState.Completed, RunState.Completed, 10, drawn.Tokens), (expected.State, drawn.State, expected.Step, expected.Tokens));
        Assert.True(expected.PaddingTokens < drawn.PaddingTokens / 2, $"{expected.PaddingTokens} tokens of padding instead of {drawn.PaddingTokens}");

        using var hold = new HeldPhase("before-apply", step: 7);
        var run = await two.StartRunAsync("two", spec, Tiny);
        await hold.ReachedAsync();
        await run.PauseAsync();
        hold.Release();
        var paused = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the pause");
        Assert.Equal((RunState.Paused, 7), (paused.State, paused.Step));
        await run.ResumeAsync();
        var found = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, expected.BestValidationLoss, true), (found.WeightsSha256, found.LedgerHead, found.BestValidationLoss, found.RecordsSeenExactlyOnce));
    }

    private static string MixedFasta(TestCluster cluster, int records)
    {
        var path = cluster.Output("mixed.fasta");
        File.WriteAllText(path, string.Concat(Enumerable.Range(0, records).Select(record => $">r{record}\n{string.Concat(Enumerable.Range(0, 4 + (record * 37 % 60)).Select(codon => codon % 3 == 0 ? "ATG" : "GCC"))}\n")));
        return path;
    }

    [Fact]
    public async Task One_shard_equals_several_only_up_to_rounding_and_only_where_the_window_is_the_same()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        // One optimizer step over all records, whatever the shards: 12 records, 6 micro-batches of 2.
        var spec = new RunSpec { Data = cluster.Fasta(12, 40), ValFraction = 0, Epochs = 1, LearningRate = 1e-3 };
        var one = await cluster.RunAsync("one", spec with { AccumulationSteps = 6, Shards = 1 }, Tiny);
        var three = await cluster.RunAsync("three", spec with { AccumulationSteps = 2, Shards = 3 }, Tiny);
        Assert.Equal((1, 1), (one.Step, three.Step));
        Assert.Equal(one.TrainLoss!.Value, three.TrainLoss!.Value, 1e-6);
        Assert.Equal(one.GradientNorm, three.GradientNorm, 1e-5);
    }

    [Fact]
    public async Task Calls_are_answered_while_a_micro_batch_computes()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        // About 2.5 s a micro-batch: 25 million parameters, some 1,100 tokens, one thread.
        var spec = new RunSpec { Data = cluster.Fasta(8, 567), ValFraction = 0, AccumulationSteps = 4, Epochs = 1, Threads = 1 };
        var run = await cluster.StartRunAsync("busy", spec, ModelPresets.Find("genslm_25M_patric")!);
        var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.State == RunState.Running, "the run to begin");
        var gpu = cluster.Grains.GetGrain<IGpuGrain>($"busy/cpu@{status.Devices.Single().Silo}");
        await TestCluster.UntilAsync(gpu.GetStatusAsync, busy => busy.MicroBatchesDone == 1, "the first micro-batch");

        var milliseconds = new List<double>();
        for (int call = 0; call < 40; call++)
        {
            long start = Stopwatch.GetTimestamp();
            Assert.True((await gpu.GetStatusAsync()).BusySeconds > 0, "the device has stopped computing");
            Assert.Equal(0, (await run.GetStatusAsync(0)).Step);
            milliseconds.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds / 2);
        }

        Assert.Equal(1, (await gpu.GetStatusAsync()).MicroBatchesDone);
        Assert.True(milliseconds.Order().ElementAt(36) < 50, $"nine of ten calls took up to {milliseconds.Order().ElementAt(36):F1} ms each");
        await run.PauseAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), stopped => stopped.IsOver, "the run to stop");
    }

    [Fact]
    public async Task No_tensor_outlives_a_run()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        NativeLibraries.EnsureLoaded();
        long before = AvailableDevices.LiveTensorCount;
        var spec = new RunSpec { Data = cluster.Fasta(20, 30), Shards = 3, Precision = Precision.Bf16, Epochs = 2 };
        Assert.Equal(RunState.Completed, (await cluster.RunAsync("first", spec, Tiny)).State);
        await TestCluster.UntilAsync(() => Task.FromResult(AvailableDevices.LiveTensorCount), count => count == before, $"the tensors to be {before} again");
    }

    [Fact]
    public async Task A_gradient_that_is_not_finite_stops_the_run_before_any_parameter_changes()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var spec = new RunSpec { Data = cluster.Fasta(20, 30), LearningRate = 1e30, Epochs = 3, AccumulationSteps = 2, ValEvery = "1" };
        var status = await cluster.RunAsync("astray", spec, Tiny);
        Assert.Equal(RunState.Failed, status.State);
        Assert.Matches(@"^Step \d+: the gradient is not finite \(norm [^;]+; shard 0, record \d+ of ", status.Failure!.Message);
        Assert.False(status.Failure.BadInput);
        Assert.NotEmpty(Directory.GetDirectories(Path.Combine(cluster.Output("astray"), "checkpoints")));
    }

    [Fact]
    public async Task Steps_whose_gradient_is_not_finite_are_left_out_when_asked()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var spec = new RunSpec { Data = cluster.Fasta(20, 30), LearningRate = 1e30, Epochs = 2, AccumulationSteps = 2, OnNonfinite = NonFiniteAction.SkipStep };
        var status = await cluster.RunAsync("skipping", spec, Tiny);
        Assert.Equal((RunState.Completed, status.TotalSteps), (status.State, status.Step));
        Assert.Contains(status.Events, happened => happened.Kind == RunEventKind.Warning && happened.Text.EndsWith("the step is counted and left out"));
        Assert.False(status.RecordsSeenExactlyOnce);
    }

    [Fact]
    public async Task What_the_user_can_mend_is_a_sentence_and_leaves_no_output()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var data = cluster.Fasta(4, 30);
        async Task<string> FailureAsync(string runId, RunSpec spec)
        {
            var status = await cluster.RunAsync(runId, spec, Tiny);
            Assert.Equal((RunState.Failed, true), (status.State, status.Failure!.BadInput));
            Assert.False(Directory.Exists(cluster.Output(runId)));
            return status.Failure.Message;
        }

        Assert.Contains("does not exist; expected a FASTA or HDF5 file.", await FailureAsync("missing", new RunSpec { Data = data + ".none" }));
        Assert.Contains("3 of them for training, but shards is 9", await FailureAsync("few", new RunSpec { Data = data, Shards = 9 }));
        Assert.Contains(data, await FailureAsync("weights", new RunSpec { Data = data, Weights = data }));
    }

    [Fact]
    public async Task Plateau_patience_and_the_best_checkpoint_survive_stops()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        // At this rate the loss soon stops falling: the rate is cut, and in the end patience runs out.
        var spec = new RunSpec
        {
            Data = cluster.Fasta(21, 24),
            AccumulationSteps = 2,
            LearningRate = 0.05,
            Epochs = 60,
            ValEvery = "1",
            Schedule = LearningRateScheduleKind.Plateau,
            EarlyStoppingPatience = 30,
            KeepBest = 3,
        };
        var expected = await cluster.RunAsync("undisturbed", spec, Tiny);
        Assert.True(expected.Events.Any(happened => happened.Metric?.LearningRate < 0.04), "the rate was never cut");
        Assert.InRange(expected.Step, 31, expected.TotalSteps - 1);

        foreach (long stop in (long[])[3, 17, 28])
        {
            var run = await cluster.StartRunAsync("disturbed", spec, Tiny, resume: true);
            await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= stop, $"step {stop}");
            await run.PauseAsync();
            var stopped = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run to stop");
            Assert.Equal(RunState.Paused, stopped.State);
        }

        await cluster.StartRunAsync("disturbed", spec, Tiny, resume: true);
        var found = await TestCluster.UntilAsync(() => cluster.Grains.GetGrain<ITrainingRunGrain>("disturbed").GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.Equal((expected.WeightsSha256, expected.Step, expected.BestStep, expected.BestValidationLoss), (found.WeightsSha256, found.Step, found.BestStep, found.BestValidationLoss));
        Assert.Equal(Kept("undisturbed"), Kept("disturbed"));

        string[] Kept(string runId) => [.. Directory.GetDirectories(Path.Combine(cluster.Output(runId), "checkpoints")).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
    }

    [Fact]
    public async Task A_run_is_stopped_at_a_step_boundary_with_a_checkpoint()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var spec = new RunSpec { Data = cluster.Fasta(20, 30), Epochs = 100_000, ValFraction = 0 };
        var run = await cluster.StartRunAsync("endless", spec, Tiny);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= 3, "three steps");
        await run.PauseAsync();
        var stopped = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run to stop");
        Assert.Equal(RunState.Paused, stopped.State);
        var manifest = CheckpointManifest.Read(Directory.GetDirectories(Path.Combine(cluster.Output("endless"), "checkpoints")).Single());
        Assert.Equal(stopped.Step, manifest.Step);
    }
}
