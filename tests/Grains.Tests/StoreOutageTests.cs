using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The store goes away and comes back, or takes a write without saying so: runs go on, and callers are answered in time.</summary>
public sealed class StoreOutageTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(5);

    [Theory]
    [InlineData("run")]
    [InlineData("queue")]
    [InlineData("checkpoints")]
    public async Task A_write_whose_answer_was_lost_is_not_taken_for_a_rivals(string stateName)
    {
        await using var cluster = await TestCluster.StartAsync(1);
        cluster.Store.LoseAnswers(stateName, 2);
        var end = await cluster.RunAsync("run", Spec(cluster), Tiny);
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal(1, end.Generation);
        Assert.True(cluster.Store.Conflicts > 0, "no answer was lost");
        Assert.Single(await Queue(cluster).ListAsync());
    }

    [Fact]
    public async Task While_the_queue_waits_for_the_store_runs_get_their_shares()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var queue = Queue(cluster);
        var devices = new DeviceName("silo", "cpu");
        await queue.EnterAsync(Entry("first", priority: 0));
        cluster.Store.Away = "queue";
        var entering = queue.EnterAsync(Entry("second", priority: 1));
        await TestCluster.UntilAsync(() => queue.ShareAsync("second", [devices]).WaitAsync(Soon, TestContext.Current.CancellationToken), share => !share.IsEmpty, "a share for the second");
        Assert.Empty(await queue.ShareAsync("first", [devices]).WaitAsync(Soon, TestContext.Current.CancellationToken));
        Assert.False(entering.IsCompleted);
        Assert.DoesNotContain("second", cluster.Store.Find("queue", IRunQueueGrain.Key));
        cluster.Store.Away = null;
        await entering;
        Assert.Contains("second", cluster.Store.Find("queue", IRunQueueGrain.Key));
    }

    [Fact]
    public async Task A_caller_is_told_in_time_that_the_store_is_away_and_what_it_asked_for_is_done_when_it_is_back()
    {
        await using var cluster = await TestCluster.StartAsync(1, new StorePatience(OfCall: TimeSpan.FromMilliseconds(200), OfRun: TimeSpan.FromMinutes(2)));
        cluster.Store.Away = "run";
        await Assert.ThrowsAsync<TimeoutException>(() => cluster.StartRunAsync("run", Spec(cluster), Tiny));
        Assert.Null(cluster.Store.Find("run", "run"));
        cluster.Store.Away = null;
        await EndsAsync(cluster, "run");
    }

    [Fact]
    public async Task A_run_that_is_woken_while_the_store_takes_no_writes_answers_at_once_and_goes_on_when_it_does()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var run = await cluster.StartRunAsync("run", Spec(cluster) with { MinDevices = 2, MaxSteps = 40 }, Tiny);
        var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => status.Step >= 1, "a step");
        cluster.Store.Away = "run";
        await cluster.KillAsync(status.Driver);
        await cluster.JoinAsync();
        var woken = await TestCluster.PatientlyAsync(() => run.GetStatusAsync(long.MaxValue));
        Assert.False(woken.IsOver);
        cluster.Store.Away = null;
        await EndsAsync(cluster, "run");
    }

    private static async Task EndsAsync(TestCluster cluster, string run)
    {
        var end = await TestCluster.UntilAsync(() => cluster.Grains.GetGrain<ITrainingRunGrain>(run).GetStatusAsync(0), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
    }

    private static IRunQueueGrain Queue(TestCluster cluster) => cluster.Grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key);

    private static QueuedRun Entry(string run, int priority) => new(run, priority, DateTimeOffset.UnixEpoch, 1, 1, "/runs", Active: true);

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(records: 24, codons: 30),
        BatchSize = 1,
        AccumulationSteps = 1,
        Shards = 2,
        SeqLength = 32,
        MaxSteps = 3,
        Epochs = 10,
        ValFraction = 0,
    };
}
