using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Silos whose memory others use when a run needs it.</summary>
public sealed class RoomTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task A_run_that_goes_back_to_its_checkpoint_waits_for_memory_and_says_so_once()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        // Whoever drives it: no step is applied until both holders are gone.
        using var hold = new HeldPhase("before-apply", step: 4, "slow 180");
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await hold.ReachedAsync();
        var holders = (await run.GetStatusAsync(long.MaxValue)).Partitions[0].Holders;
        var left = cluster.Silos.Single(silo => !holders.Contains(silo));
        cluster.FreeBytes[left] = 0;
        await Task.WhenAll(holders.Select(cluster.KillAsync));
        hold.Release();

        var waiting = await TestCluster.UntilAsync(() => TestCluster.PatientlyAsync(() => run.GetStatusAsync(0)), status => status.IsOver || status.State == RunState.Waiting, "the run to wait");
        Assert.True(waiting.State == RunState.Waiting, $"{waiting.State}: {waiting.Failure?.Message}");
        var told = Assert.Single(waiting.Events, happened => happened.Text.StartsWith("waiting for memory: ", StringComparison.Ordinal));
        Assert.StartsWith($"waiting for memory: {left} has no room for a partition: Partition 0 of run run takes ", told.Text);
        cluster.FreeBytes.Remove(left, out _);
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal(expected.WeightsSha256, end.WeightsSha256);
        Assert.Single(end.Events, happened => happened.Text.StartsWith("waiting for memory: ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_run_that_goes_on_goes_to_the_silos_that_have_memory()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => status.Step >= 3 || status.IsOver, "step 3");
        await run.PauseAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the pause");
        cluster.FreeBytes[cluster.Silos[1]] = 0;
        await run.ResumeAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.DoesNotContain(end.Events, happened => happened.Text.StartsWith("waiting for memory", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_memory_for_what_a_checkpoint_is_written_from_training_waits_for_it_and_changes_no_bit(bool hasRoom)
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        using var hold = new HeldPhase("checkpoint", step: 3);
        using var begins = new HeldPhase("kernel", step: 1);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await begins.ReachedAsync();
        if (!hasRoom) cluster.FreeBytes[cluster.Silos[1]] = 0;
        begins.Release();
        await hold.ReachedAsync();
        if (hasRoom)
        {
            var ahead = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= 5 || status.IsOver, "step 5");
            Assert.True(hold.IsHeld, "the steps waited for the checkpoint");
            Assert.DoesNotContain(ahead.Events, IsOfWaiting);
        }
        else
        {
            var told = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Events.Any(IsOfWaiting), "the wait to be told");
            Assert.Equal(3, told.Step);
            Assert.EndsWith($": {cluster.Silos[1]} has no memory to keep what goes into them", told.Events.Single(IsOfWaiting).Text);
        }

        hold.Release();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal(expected.WeightsSha256, end.WeightsSha256);
        // Eight checkpoints, one sentence; and no block was ever kept without room.
        Assert.Equal(hasRoom ? 0 : 1, end.Events.Count(IsOfWaiting));
        await TestCluster.UntilAsync(() => Task.FromResult(cluster.Memories.Values.Sum(memory => memory.Reserved.Length)), reserved => reserved == 0, "all memory to be given back");

        static bool IsOfWaiting(RunEvent happened) => happened.Text.StartsWith("training waits while checkpoints are written: ", StringComparison.Ordinal);
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(50, 30),
        Shards = 4,
        AccumulationSteps = 2,
        LearningRate = 1e-3,
        Epochs = 8,
    };
}
