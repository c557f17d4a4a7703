using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Client.Tests;

/// <summary>A console asks again for as long as the cluster is there, and says what it waits for.</summary>
public sealed class PatientCallTests : IClassFixture<ClusterOfFakes>, IDisposable
{
    private static readonly CallTiming Quick = new() { AttemptLimit = TimeSpan.FromMilliseconds(20), LongestAttempt = TimeSpan.FromSeconds(20), RetryInterval = TimeSpan.FromMilliseconds(1), Silence = TimeSpan.Zero };

    private readonly ClusterOfFakes _cluster;
    private readonly List<string> _told = [];
    private readonly TaskCompletionSource _firstTold = new();
    private Sight _sight = new(true, "silo-0 is running");

    public PatientCallTests(ClusterOfFakes cluster)
    {
        _cluster = cluster;
        FakeRun.Clear();
    }

    public void Dispose() => FakeRun.Clear();

    [Fact]
    public async Task A_cluster_that_is_there_is_asked_for_longer_than_one_that_is_gone_is_waited_for()
    {
        long began = TimeProvider.System.GetTimestamp();
        var absence = TimeSpan.FromMilliseconds(30);
        var answer = await Calls(absence).AskAsync(
            () => TimeProvider.System.GetElapsedTime(began) < 10 * absence ? throw new TimeoutException("no answer") : Task.FromResult(42), CancellationToken.None);
        Assert.Equal(42, answer);
        Assert.Equal(["waiting for the cluster, which does not answer; silo-0 is running", "the cluster answers again"], _told);
    }

    [Fact]
    public async Task What_is_waited_for_is_told_again_when_it_is_something_else_and_the_end_is_the_last_failure()
    {
        int asked = 0;
        var exception = await Assert.ThrowsAsync<ClusterException>(() => Calls(TimeSpan.FromMilliseconds(50)).AskAsync<int>(
            () =>
            {
                if (++asked == 5) _sight = new Sight(true, "silo-1 is running");
                if (asked == 10) _sight = new Sight(false, "none of its silos is running");
                throw new SiloUnavailableException($"silo-{(asked < 10 ? 0 : 1)} is gone");
            },
            CancellationToken.None));
        Assert.Equal("The cluster does not answer: silo-1 is gone", exception.Message);
        Assert.Equal(
            [
                "waiting for the cluster, which does not answer; silo-0 is running",
                "waiting for the cluster, which does not answer; silo-1 is running",
                "waiting for the cluster, which does not answer; none of its silos is running",
            ],
            _told);
    }

    [Fact]
    public async Task A_cluster_that_comes_back_in_time_is_not_given_up()
    {
        int asked = 0;
        var calls = Calls(TimeSpan.FromMinutes(1));
        var answer = await calls.AskAsync(
            () =>
            {
                _sight = new Sight(++asked > 20, "");
                return asked > 25 ? Task.FromResult(asked) : throw new TimeoutException();
            },
            CancellationToken.None);
        Assert.Equal(26, answer);
    }

    [Fact]
    public async Task A_cluster_slower_than_an_attempt_is_given_longer_ones()
    {
        var never = new TaskCompletionSource().Task;
        int attempts = 0;
        async Task<int> AnswerSlowlyAsync()
        {
            int attempt = ++attempts;
            // Longer than the first attempt's limit and than twice that.
            await Task.WhenAny(never.WaitAsync(TimeSpan.FromMilliseconds(60)));
            return attempt;
        }

        Assert.InRange(await Calls(TimeSpan.Zero).AskAsync(AnswerSlowlyAsync, CancellationToken.None), 3, attempts);
    }

    [Fact]
    public async Task Who_waits_can_be_told_to_stop_at_once()
    {
        using var stop = new CancellationTokenSource();
        var asking = Calls(TimeSpan.Zero).AskAsync(() => new TaskCompletionSource<int>().Task, stop.Token, TimeSpan.FromHours(1));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
        Assert.Empty(_told);
    }

    [Fact]
    public async Task A_silent_cluster_is_there_while_its_gateway_takes_connections()
    {
        FakeRun.Add("flu", RunState.Running).FallSilent();
        var gateway = IPEndPoint.Parse(_cluster.Gateway);
        await using var connection = await ClusterConnection.OpenAsync(() => [gateway], ClusterConnection.DefaultCluster, CancellationToken.None);
        var calls = new PatientCall(ClusterPresence.OfGateways(() => [gateway]) with { Absence = TimeSpan.Zero }, Take, Quick);
        var asking = calls.AskAsync(() => connection.Grains.GetGrain<ITrainingRunGrain>("flu").GetStatusAsync(0), CancellationToken.None);
        await _firstTold.Task.WaitAsync(TimeSpan.FromMinutes(1));
        FakeRun.Find("flu")!.Speak();
        Assert.Equal(RunState.Running, (await asking).State);
        Assert.Equal([$"waiting for the cluster, which does not answer; {gateway} takes connections", "the cluster answers again"], Told);
    }

    [Fact]
    public async Task A_cluster_whose_gateways_refuse_connections_is_gone()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var nobody = (IPEndPoint)listener.LocalEndpoint;
        listener.Stop();
        var presence = ClusterPresence.OfGateways(() => [nobody]);
        Assert.Equal(new Sight(false, "no silo takes connections"), await presence.LookAsync(CancellationToken.None));
        Assert.Equal(TimeSpan.FromMinutes(1), presence.Absence);
    }

    private string[] Told
    {
        get
        {
            lock (_told) return [.. _told];
        }
    }

    private PatientCall Calls(TimeSpan absence) => new(new ClusterPresence(_ => Task.FromResult(_sight), absence), Take, Quick);

    private void Take(string line)
    {
        lock (_told) _told.Add(line);
        _firstTold.TrySetResult();
    }
}
