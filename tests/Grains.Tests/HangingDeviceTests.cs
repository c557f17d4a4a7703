using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The only device of a run stays in a kernel for ever, by a site's clock that is in a hurry.</summary>
public sealed class HangingDeviceTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Theory]
    [InlineData("kernel")]
    [InlineData("backward")]
    public async Task A_run_whose_only_device_hangs_waits_and_says_so_and_goes_on_when_another_comes(string phase)
    {
        await using var cluster = await TestCluster.StartAsync(1, siteTime: new HurriedTime(30));
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        using var hold = new HeldPhase(phase, step: 3);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await WaitsAsync(run, hold);
        await cluster.JoinAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || !hold.IsHeld, "the end, while the device hangs");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, 0L), (end.WeightsSha256, end.LedgerHead, end.ReplayedSteps));
    }

    [Fact]
    public async Task A_device_that_hangs_in_its_first_micro_batch_is_set_aside_as_soon_as_any_other()
    {
        await using var cluster = await TestCluster.StartAsync(1, siteTime: new HurriedTime(30));
        using var hold = new HeldPhase("kernel", step: 1);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        var waiting = await WaitsAsync(run, hold);
        // It ends in '… for 31 s'.
        var silentSeconds = waiting.Events.Last(happened => happened.Kind == RunEventKind.Note).Text.Split(' ')[^2];
        Assert.InRange(int.Parse(silentSeconds, CultureInfo.InvariantCulture), 30, 300);
        hold.Release();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
    }

    [Theory]
    [InlineData("kernel")]
    [InlineData("backward")]
    public async Task A_run_whose_only_device_hangs_goes_on_with_it_when_it_comes_back(string phase)
    {
        await using var cluster = await TestCluster.StartAsync(1, siteTime: new HurriedTime(30));
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        using var hold = new HeldPhase(phase, step: 3);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await WaitsAsync(run, hold);
        hold.Release();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, 0L), (end.WeightsSha256, end.LedgerHead, end.ReplayedSteps));
    }

    [Theory]
    [InlineData(RunState.Paused)]
    [InlineData(RunState.Cancelled)]
    public async Task A_run_that_waits_for_a_device_that_hangs_can_be_stopped(RunState wished)
    {
        await using var cluster = await TestCluster.StartAsync(1, siteTime: new HurriedTime(30));
        using var hold = new HeldPhase("kernel", step: 3);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await WaitsAsync(run, hold);
        await (wished == RunState.Paused ? run.PauseAsync() : run.CancelAsync());
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || !hold.IsHeld, "the run to stop, while the device hangs");
        Assert.Equal((wished, 2L), (end.State, end.Step));
    }

    [Fact]
    public async Task A_run_is_cancelled_before_its_device_is_known_to_hang()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var hold = new HeldPhase("kernel", step: 3);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await hold.ReachedAsync();
        await run.CancelAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || !hold.IsHeld, "the run to stop, while the device hangs");
        Assert.Equal((RunState.Cancelled, 2L), (end.State, end.Step));
        Assert.DoesNotContain(end.Events, happened => happened.Text.EndsWith("; it is set aside", StringComparison.Ordinal));
    }

    private static async Task<RunStatus> WaitsAsync(ITrainingRunGrain run, HeldPhase hold)
    {
        await hold.ReachedAsync();
        var waiting = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.State == RunState.Waiting || !hold.IsHeld, "the run to wait");
        Assert.Equal(RunState.Waiting, waiting.State);
        Assert.Matches("^waiting for devices: .* cpu has made no progress for [0-9]+ s$", waiting.Events.Last(happened => happened.Kind == RunEventKind.Note).Text);
        Assert.Contains(waiting.Events, happened => happened.Kind == RunEventKind.Warning && happened.Text.EndsWith("; it is set aside", StringComparison.Ordinal));
        return waiting;
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = 2,
        AccumulationSteps = 2,
        LearningRate = 3e-3,
        Epochs = 20,
        MaxSteps = 6,
    };
}
