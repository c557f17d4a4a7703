using System.Reflection;
using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Sites;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Parameters on their way to a device.</summary>
public sealed class SiteParametersTests
{
    [Fact]
    public async Task A_device_that_hangs_while_parameters_are_written_to_it_is_set_aside_and_comes_back_by_itself()
    {
        using var folder = new TemporaryFolder();
        using var store = TokenStoreBuilder.OpenOrBuild(folder.File("data.fasta", Encoding.ASCII.GetBytes(">a\nATGGGCGCCATCGACGAAATG\n>b\nATGGGCGCCATCGACGAAATG\n")), folder.File("cache"));
        // In bf16 a replica's parameters are not where others could write them.
        var plan = new RunPlan(new RunSpec { Data = "data.fasta", ValFraction = 0, Precision = Precision.Bf16 }, ModelPresets.Find("tiny")!, store.Sets);
        var time = new HurriedTime(60);
        using var computes = new ComputeDevice("cpu", time);
        await using var replica = await RunReplica.CreateAsync("run", "silo", computes, plan, store);
        using var metrics = new ClusterMetrics("silo");
        var device = new SiteDevice(replica, time);
        var parameters = new SiteParameters(new BlockTransfer(null!, null!, null!, "run", "silo", metrics, time), [device]);
        var keeper = DispatchProxy.Create<ICheckpointGrain, Keeper>();

        using var hang = new ManualResetEventSlim();
        var hanging = replica.OnDeviceAsync(() => hang.Wait(TimeSpan.FromMinutes(1)));
        var failure = await Assert.ThrowsAsync<DevicesStuckException>(() => parameters.BringAsync(keeper, "checkpoint"));
        Assert.Matches("^silo cpu has made no progress for [0-9]+ s", failure.Message);
        Assert.True(device.IsStuck);
        hang.Set();
        Assert.True(await hanging);
        await TestCluster.UntilAsync(() => Task.FromResult(device.IsStuck), isStuck => !isStuck, "the device to come back");
        await parameters.BringAsync(keeper, "checkpoint");
    }

    /// <summary>Has any block of any checkpoint.</summary>
    public class Keeper : DispatchProxy
    {
        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            Assert.Equal(nameof(ICheckpointGrain.ReadAsync), targetMethod!.Name);
            var block = Block.Rent((int)args![1]!, (int)args[2]!);
            block.Values.Clear();
            return Task.FromResult(block);
        }
    }
}
