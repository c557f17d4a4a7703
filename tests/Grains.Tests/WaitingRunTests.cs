using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A run that had come some way and now waits for what it lacks can be stopped at once, and is where it was.</summary>
public sealed class WaitingRunTests
{
    private const long Plenty = 2L << 30;
    private const long Little = 64L << 20;

    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;
    private static readonly TimeSpan AtOnce = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData(RunState.Paused)]
    [InlineData(RunState.Cancelled)]
    public async Task A_resumed_run_that_waits_for_devices_is_stopped_at_once_and_is_where_it_was(RunState wished)
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var (run, paused) = await PausedAsync(cluster, Spec(cluster) with { MinDevices = 2 });
        // Not the one that answers for the run.
        await cluster.StopAsync(cluster.Silos.First(name => name != paused.Driver));
        await run.ResumeAsync();
        await WaitsAsync(run, "waiting for devices: 1 of the 2 that it needs are alive");
        await StopsWhereItWasAsync(run, wished, paused);
    }

    [Theory]
    [InlineData(RunState.Paused)]
    [InlineData(RunState.Cancelled)]
    public async Task A_resumed_run_that_waits_for_memory_is_stopped_at_once_and_is_where_it_was(RunState wished)
    {
        long bytes = Plenty;
        await using var cluster = await TestCluster.StartAsync(1, memory: () => Memory(() => Volatile.Read(ref bytes)));
        var (run, paused) = await PausedAsync(cluster, Spec(cluster));
        Volatile.Write(ref bytes, Little);
        await run.ResumeAsync();
        await WaitsAsync(run, " of memory");
        await StopsWhereItWasAsync(run, wished, paused);
    }

    [Fact]
    public async Task A_resumed_run_that_waits_for_memory_goes_on_when_there_is_enough()
    {
        long bytes = Plenty;
        await using var cluster = await TestCluster.StartAsync(1, memory: () => Memory(() => Volatile.Read(ref bytes)));
        var spec = Spec(cluster) with { MaxSteps = 8 };
        var expected = await cluster.RunAsync("undisturbed", spec, Tiny);
        var (run, _) = await PausedAsync(cluster, spec);
        Volatile.Write(ref bytes, Little);
        await run.ResumeAsync();
        await WaitsAsync(run, " of memory");
        Volatile.Write(ref bytes, Plenty);
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead), (end.WeightsSha256, end.LedgerHead));
    }

    // As much as it is now.
    private static SiloMemory Memory(Func<long> bytes) => new(() => [new MemoryBound(new MemoryPool("one machine", "--memory", bytes()), bytes())]);

    private static async Task<(ITrainingRunGrain Run, RunStatus Paused)> PausedAsync(TestCluster cluster, RunSpec spec)
    {
        var run = await cluster.StartRunAsync("run", spec, Tiny);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => status.Step >= 3 || status.IsOver, "step 3");
        await run.PauseAsync();
        var paused = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the pause");
        Assert.Equal(RunState.Paused, paused.State);
        return (run, paused);
    }

    private static async Task WaitsAsync(ITrainingRunGrain run, string reason)
    {
        var waiting = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.State == RunState.Waiting, "the run to wait");
        Assert.Equal(RunState.Waiting, waiting.State);
        Assert.Contains(waiting.Events, happened => happened.Kind == RunEventKind.Note && happened.Text.Contains(reason));
    }

    private static async Task StopsWhereItWasAsync(ITrainingRunGrain run, RunState wished, RunStatus paused)
    {
        await (wished == RunState.Paused ? run.PauseAsync() : run.CancelAsync());
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run to stop").WaitAsync(AtOnce, TestContext.Current.CancellationToken);
        Assert.Equal((wished, paused.Step, paused.LastCheckpoint), (end.State, end.Step, end.LastCheckpoint));
        Assert.Contains(end.Events, happened => happened.Text == $"{(wished == RunState.Paused ? "paused" : "cancelled")} after step {paused.Step}");
        // Nothing was restored that would have had to be let go of again.
        Assert.Empty(end.Partitions);
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = 2,
        AccumulationSteps = 2,
        LearningRate = 3e-3,
        Epochs = 1000,
        MaxSteps = 0,
        ValFraction = 0,
    };
}
