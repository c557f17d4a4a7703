using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A driver that another has taken over from finds that out at the silos, and leaves everything as it is.</summary>
public sealed class StaleDriverTests
{
    private const long Later = 1000;

    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task A_stale_driver_that_is_to_end_its_run_does_not_take_it_out_of_the_queue()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var run = await cluster.StartRunAsync("run", Spec(cluster) with { MinDevices = 2 }, Tiny);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.State == RunState.Waiting, "the run to wait");
        await TakeOverAsync(cluster);
        await run.CancelAsync();
        // It lets go of the run: whoever asks next wakes another.
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Generation > 1, "another driver");
        Assert.True((await Queue(cluster).ListAsync()).Single().Active);
        Assert.DoesNotContain("\"Final\":{", cluster.Store.Find("run", "run"));
    }

    [Fact]
    public async Task A_stale_driver_in_the_middle_of_its_run_does_not_end_it()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => status.Step >= 2, "step 2");
        await TakeOverAsync(cluster);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Generation > 1, "another driver");
        Assert.True((await Queue(cluster).ListAsync()).Single().Active);
        Assert.DoesNotContain("\"Final\":{", cluster.Store.Find("run", "run"));
    }

    // As a driver that knows nothing of the silo's devices and copies does when it adopts the run.
    private static Task TakeOverAsync(TestCluster cluster) =>
        cluster.Grains.GetGrain<ISiteGrain>($"run/site@{cluster.Silos.Single()}").KeepAsync(new Fence("run", 0, Later), [], []);

    private static IRunQueueGrain Queue(TestCluster cluster) => cluster.Grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key);

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = 2,
        AccumulationSteps = 2,
        Epochs = 1000,
        ValFraction = 0,
    };
}
