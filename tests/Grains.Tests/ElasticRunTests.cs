using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Silos come and go while a run trains; the bits are those of an undisturbed run on one silo.</summary>
public sealed class ElasticRunTests
{
    // So many that of three silos each two hold one of them alone.
    private static readonly HuggingFaceConfig FiveBlocks = ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 6 };

    private static string? s_expected;

    [Fact]
    public async Task A_silo_that_joins_gets_shards_and_partitions_and_changes_no_bit()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var run = await StartAsync(cluster);
        await AtStepAsync(run, 3);
        var name = await cluster.JoinAsync();
        var joined = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.Devices.Any(share => share.Silo == name), $"{name} to get shards");
        Assert.Contains(joined.Devices, share => share.Silo == name);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.Partitions.All(place => place.Holders.Contains(name)), $"{name} to stand by");
        await EndsAsExpectedAsync(run);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_silo_that_is_killed_changes_no_bit(bool driver)
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var run = await StartAsync(cluster);
        var status = await AtStepAsync(run, 4);
        await cluster.KillAsync(cluster.Silos.First(name => name == status.Driver == driver));
        var end = await EndsAsExpectedAsync(run);
        Assert.Equal((0L, 0L), (end.RepeatedMicroBatches, end.ReplayedSteps));
        if (!driver) Assert.Contains(end.Events, happened => happened.Kind == RunEventKind.SiloLost);
    }

    [Fact]
    public async Task When_all_holders_of_a_partition_are_killed_the_run_goes_back_to_its_checkpoint_and_ends_in_the_same_bits()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        // The driver stays where it is until both are gone: it would else fill a copy of its own from the second, or end the run.
        using var hold = new HeldPhase("before-apply", step: 9);
        var run = await StartAsync(cluster);
        await hold.ReachedAsync();
        var status = await run.GetStatusAsync(long.MaxValue);
        var others = cluster.Silos.Where(name => name != status.Driver).ToArray();
        Assert.Contains(status.Partitions, place => place.Holders.Length == 2 && place.Holders.All(others.Contains));
        await Task.WhenAll(others.Select(cluster.KillAsync));
        hold.Release();
        var end = await EndsAsExpectedAsync(run);
        // How many steps that costs depends on how far behind the checkpoint is; it may be none.
        Assert.True(end.Generation > 1 || end.Events.Any(happened => happened.Text.StartsWith("back to ", StringComparison.Ordinal)), "the run did not go back");
    }

    [Fact]
    public async Task What_a_driver_that_dies_had_restored_in_part_is_not_taken_for_whole_by_the_next()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var run = await StartAsync(cluster);
        await AtStepAsync(run, 5);
        await run.PauseAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the pause");
        using var hold = new HeldPhase("restore", step: 1);
        await run.ResumeAsync();
        await hold.ReachedAsync();
        await cluster.KillAsync((await run.GetStatusAsync(long.MaxValue)).Driver);
        hold.Release();
        var end = await EndsAsExpectedAsync(run);
        Assert.DoesNotContain(end.Events, happened => happened.Text.StartsWith("taken over after step", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_run_that_is_paused_and_resumed_changes_no_bit()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var run = await StartAsync(cluster);
        await AtStepAsync(run, 5);
        await run.PauseAsync();
        var paused = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the pause");
        Assert.Equal(RunState.Paused, paused.State);
        await run.ResumeAsync();
        await EndsAsExpectedAsync(run);
    }

    [Fact]
    public async Task Two_runs_share_the_devices_and_neither_changes_a_bit()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var run = await StartAsync(cluster);
        var alone = await AtStepAsync(run, 2);
        Assert.Equal(2, alone.Devices.Length);
        var other = await cluster.StartRunAsync("other", Spec(cluster) with { Epochs = 3 }, FiveBlocks);
        var shared = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.Devices.Length == 1, "the run to give up a device");
        Assert.Single(shared.Devices);
        var ended = await TestCluster.UntilAsync(() => other.GetStatusAsync(0), status => status.IsOver, "the other run's end");
        Assert.Equal(RunState.Completed, ended.State);
        await EndsAsExpectedAsync(run);
    }

    [Fact]
    public async Task A_run_that_lacks_devices_waits_and_says_so_and_goes_on_when_they_come()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var run = await cluster.StartRunAsync("run", Spec(cluster) with { MinDevices = 2 }, FiveBlocks);
        var waiting = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.State == RunState.Waiting, "the run to wait");
        Assert.Contains(waiting.Events, happened => happened.Text == "waiting for devices: 1 of the 2 that it needs are alive");
        await cluster.JoinAsync();
        await EndsAsExpectedAsync(run);
    }

    [Fact]
    public async Task A_run_that_waits_for_its_turn_can_be_cancelled()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var run = await StartAsync(cluster);
        await AtStepAsync(run, 1);
        var other = await cluster.StartRunAsync("other", Spec(cluster), FiveBlocks);
        await TestCluster.UntilAsync(() => other.GetStatusAsync(0), status => status.State == RunState.Waiting, "the other run to wait");
        await other.CancelAsync();
        var cancelled = await TestCluster.UntilAsync(() => other.GetStatusAsync(0), status => status.IsOver, "the other run's end");
        Assert.Equal(RunState.Cancelled, cancelled.State);
        await EndsAsExpectedAsync(run);
    }

    [Fact]
    public async Task A_paused_run_can_be_exported_and_cancelled_and_is_then_over_for_good()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var run = await StartAsync(cluster);
        await AtStepAsync(run, 2);
        await run.PauseAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the pause");
        Assert.True(File.Exists((await run.ExportAsync()).Path));
        await run.CancelAsync();
        Assert.Equal(RunState.Cancelled, (await run.GetStatusAsync(0)).State);
        Assert.Contains("cancelled", (await Assert.ThrowsAsync<RunInputException>(run.ResumeAsync)).Message);
    }

    private static Task<ITrainingRunGrain> StartAsync(TestCluster cluster) => cluster.StartRunAsync("run", Spec(cluster), FiveBlocks);

    private static Task<RunStatus> AtStepAsync(ITrainingRunGrain run, long step) =>
        TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => status.Step >= step || status.IsOver, $"step {step}");

    private static async Task<RunStatus> EndsAsExpectedAsync(ITrainingRunGrain run)
    {
        s_expected ??= await UndisturbedAsync();
        var end = await TestCluster.UntilAsync(() => TestCluster.PatientlyAsync(() => run.GetStatusAsync(0)), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        Assert.Equal(s_expected, end.WeightsSha256);
        Assert.True(end.RecordsSeenExactlyOnce);
        return end;
    }

    private static async Task<string> UndisturbedAsync()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        return (await cluster.RunAsync("undisturbed", Spec(cluster), FiveBlocks)).WeightsSha256;
    }

    // 12 steps of five shards each.
    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(50, 30),
        Shards = 5,
        AccumulationSteps = 2,
        LearningRate = 1e-3,
        Epochs = 6,
        GradientClip = 0.5,
    };
}
