using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A device whose kernel throws: its silo's copy of the data has tokens that are in no vocabulary.</summary>
public sealed class DeviceErrorTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task After_an_error_of_a_device_its_replica_is_made_anew_its_gradients_come_back_and_no_bit_changes()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var spec = Spec(cluster);
        var expected = await cluster.RunAsync("undisturbed", spec, Tiny);
        using var hold = new HeldPhase("before-apply", step: 3);
        var run = await cluster.StartRunAsync("run", spec, Tiny);
        await hold.ReachedAsync();
        var status = await run.GetStatusAsync(0);
        var silo = cluster.Silos.First(name => name != status.Driver);
        Assert.Contains(status.Devices, share => share.Silo == silo);
        var first = Device(cluster, silo)!;
        using var damage = new DamagedTokens(cluster.Tokens(silo));
        hold.Release();

        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), now => now.IsOver || now.Events.Any(happened => happened.Text.StartsWith($"{silo} failed: ", StringComparison.Ordinal)), "the device to fail");
        Assert.Equal(0, first.Replica.GradientsOut);
        damage.Dispose();
        var second = await TestCluster.UntilAsync(() => Task.FromResult(Device(cluster, silo)), device => device is not null && device != first, "the replica to be made anew");
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), now => now.IsOver || second!.Replica.MicroBatchesDone > 0, "the new replica to compute");
        Assert.True(second!.Replica.MicroBatchesDone > 0, "the run ended without it");

        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), now => now.IsOver, "the end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, 0L), (end.WeightsSha256, end.LedgerHead, end.ReplayedSteps));
    }

    private static SiteDevice? Device(TestCluster cluster, string silo) => cluster.Of<SiteStore>(silo).Find("run")?.Device("cpu");

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = 4,
        AccumulationSteps = 2,
        LearningRate = 3e-3,
        Epochs = 1000,
        MaxSteps = 400,
        ValFraction = 0,
    };
}
