using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Silos with more than one device: shards are shared out between them, sums of theirs are added on the silo, and what one leaves another does.</summary>
public sealed class SeveralDevicesTests
{
    // One computes where others can read while it does, and one, like a GPU, where they cannot.
    private static readonly string[] Two = ["cpu", "cpu:0"];
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Theory]
    [InlineData(1, 5, Precision.Fp32)]
    [InlineData(2, 5, Precision.Fp32)]
    [InlineData(1, 4, Precision.Bf16)]
    public async Task Two_devices_on_a_silo_give_the_bits_of_one(short silos, int shards, Precision exchange)
    {
        var spec = new RunSpec { Shards = shards, AccumulationSteps = 2, Shuffle = false, LearningRate = 3e-3, Epochs = 20, MaxSteps = 6, ValFraction = 0.2, ValEvery = "3", GradientClip = 0.5, Exchange = exchange };
        var expected = await RunAsync(silos, ["cpu"], spec);
        var found = await RunAsync(silos, Two, spec);
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, expected.ValidationLoss), (found.WeightsSha256, found.LedgerHead, found.ValidationLoss));
        Assert.Equal(silos, found.Events.Count(happened => happened.Kind == RunEventKind.Note && happened.Text.Contains(" cpu,cpu:0: shard", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task When_one_of_two_devices_hangs_the_other_does_its_shards()
    {
        await using var cluster = await TestCluster.StartAsync(1, siteTime: new HurriedTime(30), deviceNames: Two);
        var spec = new RunSpec { Data = cluster.Fasta(40, 24), Shards = 4, AccumulationSteps = 2, LearningRate = 3e-3, Epochs = 20, MaxSteps = 6 };
        var expected = await cluster.RunAsync("undisturbed", spec, Tiny);
        using var hold = new HeldPhase("kernel", step: 3);
        var run = await cluster.StartRunAsync("run", spec, Tiny);
        await hold.ReachedAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || !hold.IsHeld, "the end, while a device hangs");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, 0L), (end.WeightsSha256, end.LedgerHead, end.ReplayedSteps));
        Assert.Contains(end.Events, happened => happened.Kind == RunEventKind.Warning && happened.Text.EndsWith("; it is set aside, and its silo's other devices did its shards", StringComparison.Ordinal));
        Assert.DoesNotContain(end.Events, happened => happened.Kind == RunEventKind.SiloLost);
    }

    private static async Task<RunStatus> RunAsync(short silos, string[] devices, RunSpec spec)
    {
        await using var cluster = await TestCluster.StartAsync(silos, deviceNames: devices);
        var end = await cluster.RunAsync("run", spec with { Data = cluster.Fasta(40, 24) }, Tiny);
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        foreach (var silo in cluster.Silos) Assert.Null(cluster.Of<SiteStore>(silo).Find("run"));
        return end;
    }
}
