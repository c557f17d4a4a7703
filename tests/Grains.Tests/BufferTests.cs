using System.Runtime.CompilerServices;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Gradients and block buffers come back, however a run ends.</summary>
public sealed class BufferTests
{
    // Far from what a buffer lost at each step would come to. Silos that tests before have killed may still be at something in this process.
    private const long MostKept = 8L * sizeof(float) * BlockBuffers.Length;

    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task After_a_run_that_completed()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var count = await BeginAsync(cluster);
        await count.EndsAsync(RunState.Completed);
    }

    [Fact]
    public async Task After_a_run_that_was_cancelled_in_the_middle_of_a_micro_batch()
    {
        // One silo, which goes on when it has been told: pushes that are broken off on their way are the collector's.
        await using var cluster = await TestCluster.StartAsync(1);
        using var held = new HeldPhase("kernel", step: 3);
        var count = await BeginAsync(cluster);
        await held.ReachedAsync();
        count.Collect();
        var window = cluster.Sites[cluster.Silos[0]].Find("run")!.Window!;
        await count.Run.CancelAsync();
        await TestCluster.UntilAsync(() => Task.FromResult(window.IsOver), over => over, "the window to be broken off");
        held.Release();
        await count.EndsAsync(RunState.Cancelled);
    }

    [Fact]
    public async Task After_a_run_that_failed_on_its_device()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var count = await BeginAsync(cluster);
        using var fault = new HeldPhase("kernel", step: 3, "fail 0");
        await count.EndsAsync(RunState.Failed);
    }

    [Theory]
    [InlineData("kernel")]
    [InlineData("backward")]
    public async Task After_a_run_one_of_whose_devices_failed(string phase)
    {
        await using var cluster = await TestCluster.StartAsync(2);
        using var fault = new HeldPhase(phase, step: 3, "fail 0");
        var count = await BeginAsync(cluster);
        await count.EndsAsync(RunState.Completed);
    }

    [Fact]
    public async Task After_a_run_that_lost_a_silo()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var count = await BeginAsync(cluster);
        var status = await TestCluster.UntilAsync(() => count.Run.GetStatusAsync(long.MaxValue), status => status.Step >= 3 || status.IsOver, "step 3");
        var killed = cluster.Silos.First(name => name != status.Driver);
        var site = cluster.Sites[killed].Find("run")!;
        await cluster.KillAsync(killed);
        // Its process would have taken what it had with it.
        cluster.Sites.Remove(killed, out _);
        count.Forget(site.Device("cpu")?.Replica);
        site.Partition(0)?.State.Dispose();
        await count.EndsAsync(RunState.Completed);
    }

    [Fact]
    public async Task Those_that_nobody_gives_back_are_found_when_many_have_been_made()
    {
        const int Few = 64;
        BlockBuffers.Trim();
        long before = NativeVector.LiveBytes;
        // Old ones, as those of calls that broke off are: only a full collection finds them.
        Lose(4 * Few, isOld: true);
        Lose(2 * Few, isOld: false);
        await TestCluster.UntilAsync(() => Task.FromResult(NativeVector.LiveBytes - before), bytes => bytes < 3L * Few * sizeof(float) * BlockBuffers.Length, "the collector to find those that were lost first");
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Lose(int count, bool isOld)
    {
        var lost = Enumerable.Range(0, count).Select(_ => BlockBuffers.Rent(1)).ToArray();
        for (int generation = 0; isOld && generation < GC.MaxGeneration; generation++) GC.Collect();
        GC.KeepAlive(lost);
    }

    private static async Task<Count> BeginAsync(TestCluster cluster)
    {
        var count = new Count(cluster);
        await count.BeginAsync();
        return count;
    }

    /// <summary>What is in use of a run, and was before it.</summary>
    private sealed class Count(TestCluster cluster)
    {
        private readonly HashSet<RunReplica> _replicas = [];
        private long _bytes;

        public ITrainingRunGrain Run { get; private set; } = null!;

        public async Task BeginAsync()
        {
            BlockBuffers.Trim();
            Collected();
            _bytes = NativeVector.LiveBytes;
            Run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
            await TestCluster.UntilAsync(() => Run.GetStatusAsync(long.MaxValue), status => status.Step >= 1 || status.IsOver, "a step");
            Collect();
            Assert.NotEmpty(_replicas);
        }

        public void Collect() => _replicas.UnionWith(cluster.Sites.Values.Select(sites => sites.Find("run")?.Device("cpu")?.Replica).OfType<RunReplica>());

        public void Forget(RunReplica? replica) => _replicas.RemoveWhere(known => known == replica);

        /// <summary>Waits for the end of the run, and for everything to be back.</summary>
        /// <param name="expected">How it ends.</param>
        public async Task EndsAsync(RunState expected)
        {
            var end = await TestCluster.UntilAsync(
                async () =>
                {
                    Collect();
                    return await TestCluster.PatientlyAsync(() => Run.GetStatusAsync(0));
                },
                status => status.IsOver,
                "the run's end");
            Assert.True(end.State == expected, $"{end.State}: {end.Failure?.Message}");
            await TestCluster.UntilAsync(() => Task.FromResult(_replicas.Sum(replica => replica.GradientsOut)), gradients => gradients == 0, "the gradients");
            await TestCluster.UntilAsync(
                () =>
                {
                    BlockBuffers.Trim();
                    Collected();
                    return Task.FromResult(NativeVector.LiveBytes);
                },
                bytes => bytes <= _bytes + MostKept,
                $"no more than {_bytes + MostKept} bytes");
        }

        private static void Collected()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(24, 30),
        Shards = 4,
        BatchSize = 1,
        AccumulationSteps = 2,
        LearningRate = 1e-3,
        Epochs = 8,
    };
}
