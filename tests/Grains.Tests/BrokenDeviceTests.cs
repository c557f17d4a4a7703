using System.Collections.Concurrent;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Devices that do not give the same bits twice, or compute nothing any more.</summary>
public sealed class BrokenDeviceTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(6);

    [Fact]
    public async Task A_device_that_gives_other_bits_is_told_once_tried_a_few_times_and_set_aside()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var tried = new ConcurrentQueue<long>();
        cluster.Trials[cluster.Silos[1]] = DeviceTrials.Real with
        {
            Prove = (_, origin, _) =>
            {
                tried.Enqueue(TimeProvider.System.GetTimestamp());
                throw new UnequalBitsException($"{origin} does not give the same bits twice");
            },
        };
        // Its steps go on and on: at each boundary the device could be tried again.
        var run = await cluster.StartRunAsync("run", Spec(cluster) with { Epochs = 1_000, MaxSteps = 100_000, ValEvery = "1000epoch" }, Tiny);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => status.Step > 0 || status.IsOver, "a step");
        var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || TimeProvider.System.GetElapsedTime(tried.Last()) > Quiet, "the device to be left alone");
        Assert.Equal(RunState.Running, status.State);
        Assert.InRange(tried.Count, 3, 12);
        Assert.Single(status.Events, happened => happened.Text.Contains("does not give the same bits twice", StringComparison.Ordinal));
        await run.CancelAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => status.IsOver, "the run's end");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_an_error_a_device_is_probed_and_one_that_fails_at_that_too_is_poisoned(bool poisoned)
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        int probed = 0;
        foreach (var silo in cluster.Silos)
        {
            cluster.Trials[silo] = DeviceTrials.Real with
            {
                Probe = device =>
                {
                    Interlocked.Increment(ref probed);
                    if (poisoned) throw new InvalidOperationException("CUDA error: an illegal memory access was encountered\nsecond line");
                    DeviceProbe.Compute(device);
                },
            };
        }

        using var fault = new HeldPhase("kernel", step: 3, "fail 0");
        var end = await cluster.RunAsync("run", Spec(cluster), Tiny);
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal(expected.WeightsSha256, end.WeightsSha256);
        Assert.Equal(1, probed);
        var broken = cluster.Devices.Values.Where(devices => devices.IsPoisoned).ToArray();
        Assert.Equal(poisoned ? 1 : 0, broken.Length);
        if (!poisoned) return;
        Assert.Equal(
            "cpu computes nothing any more in this process: after 'A fault was asked for at kernel.' a small computation failed too, with 'CUDA error: an illegal memory access was encountered'",
            await broken[0].PoisonedAsync());
        Assert.Contains(end.Events, happened => happened.Text.Contains("computes nothing any more", StringComparison.Ordinal) && happened.Text.EndsWith("set aside", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_device_whose_memory_is_full_is_not_poisoned_and_the_real_probe_passes_on_a_sound_one()
    {
        using var device = new ComputeDevice("cpu", TimeProvider.System, DeviceTrials.Real with { Probe = _ => throw new InvalidOperationException("CUDA out of memory. Tried to allocate 2.00 MiB") });
        await Assert.ThrowsAsync<InvalidOperationException>(() => device.RunAsync<int>(1, () => throw new InvalidOperationException("CUDA out of memory.")));
        Assert.False(await device.IsPoisonedAsync());
        using var sound = new ComputeDevice("cpu", TimeProvider.System);
        await Assert.ThrowsAsync<InvalidOperationException>(() => sound.RunAsync<int>(1, () => throw new InvalidOperationException("some error")));
        Assert.False(await sound.IsPoisonedAsync());
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(24, 30),
        Shards = 4,
        BatchSize = 1,
        AccumulationSteps = 2,
        LearningRate = 1e-3,
        Epochs = 4,
    };
}
