using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A site's sum leaves while its last shard is in its last backward.</summary>
public sealed class EarlySumTests
{
    // Four blocks, so that some are final before others.
    private static readonly HuggingFaceConfig Config = ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 };

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task The_partitions_have_blocks_of_a_sum_whose_last_shard_is_still_computed(int shards)
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster, shards), Config);
        using var hold = new HeldPhase("backward", step: 2);
        var run = await cluster.StartRunAsync("run", Spec(cluster, shards), Config);
        await hold.ReachedAsync();
        var site = cluster.Sites[cluster.Silos[0]].Find("run")!;
        var arrived = await TestCluster.UntilAsync(() => ArrivedAsync(site), blocks => blocks.Length > 0, "a block of the second step");
        // The device stands where it stood, and what the shard puts in is not known: it goes with the first block.
        Assert.True(hold.IsHeld);
        Assert.DoesNotContain(0, arrived);
        Assert.DoesNotContain(shards - 1, site.Computed);
        hold.Release();
        await EndsAsAsync(expected, run);
    }

    [Fact]
    public async Task A_device_that_fails_when_some_of_its_sum_has_left_costs_nothing()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster, shards: 6), Config);
        using var fault = new HeldPhase("backward", step: 3, "fail 0");
        var run = await cluster.StartRunAsync("run", Spec(cluster, shards: 6), Config);
        await EndsAsAsync(expected, run);
        await fault.ReachedAsync();
    }

    private static async Task EndsAsAsync(RunStatus expected, ITrainingRunGrain run)
    {
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, 0L), (end.WeightsSha256, end.LedgerHead, end.ReplayedSteps));
    }

    private static async Task<int[]> ArrivedAsync(Site site)
    {
        var blocks = new List<int>();
        for (int index = 0; site.Partition(index) is { } copy; index++) blocks.AddRange((await copy.State.ContributionsAsync()).Select(arrived => arrived.Block));
        return [.. blocks];
    }

    private static RunSpec Spec(TestCluster cluster, int shards) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = shards,
        AccumulationSteps = 2,
        LearningRate = 3e-3,
        Epochs = 20,
        MaxSteps = 6,
        ValEvery = "2",
        Exchange = Precision.Bf16,
    };
}
