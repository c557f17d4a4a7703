using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Client.Rendering;
using Orleans.Runtime;

namespace GenSlmOrleans.Client.Tests;

/// <summary>Watching a run on silos of one's own, some of which end.</summary>
public sealed class RunWatchTests : IDisposable
{
    private readonly StringWriter _lines = new();
    private readonly TaskCompletionSource[] _ends = [new(), new()];

    private static PatientCall Patient { get; } = Calls(new CallTiming());

    private static PatientCall Calls(CallTiming timing) => new(new ClusterPresence(_ => Task.FromResult(new Sight(true, "silo-0 is running")), TimeSpan.Zero), _ => { }, timing);

    private SiloEnd[] Silos => [.. _ends.Select((end, i) => new SiloEnd($"silo-{i}", end.Task, () => $"exit code 137; its log is log-{i}\n  the last line of {i}"))];

    public void Dispose() => _lines.Dispose();

    [Fact]
    public async Task A_silo_that_ends_is_told_of_and_the_run_goes_on()
    {
        var run = new ScriptedRun(asked => asked switch
        {
            0 => new RunStatus { State = RunState.Running },
            1 => End(0),
            _ => new RunStatus { State = RunState.Completed },
        });
        var status = await FollowAsync(run, Silos);
        Assert.Equal(RunState.Completed, status.State);
        Assert.Equal("silo-0 has ended (exit code 137; its log is log-0); the run goes on\n", _lines.ToString());
    }

    [Fact]
    public async Task When_the_last_silo_has_ended_nothing_is_waited_for()
    {
        var run = new ScriptedRun(asked => asked == 0 ? End(0) : End(1));
        var exception = await Assert.ThrowsAsync<ClusterException>(() => FollowAsync(run, Silos));
        Assert.Equal("All silos have ended, silo-1 as the last: exit code 137; its log is log-1\n  the last line of 1", exception.Message);
        var alone = new ScriptedRun(_ => End(0));
        Assert.StartsWith("A silo ended unexpectedly: exit code 137; its log is log-0\n", (await Assert.ThrowsAsync<ClusterException>(() => FollowAsync(alone, Silos[..1]))).Message);
    }

    [Fact]
    public async Task A_run_that_the_cluster_has_forgotten_is_not_waited_for() =>
        Assert.Contains("no longer knows the run", (await Assert.ThrowsAsync<ClusterException>(() => FollowAsync(new ScriptedRun(_ => new RunStatus()), []))).Message);

    [Fact]
    public async Task Patience_has_an_end_when_nothing_is_left_of_the_cluster()
    {
        var gone = new PatientCall(new ClusterPresence(_ => Task.FromResult(new Sight(false, "nothing")), TimeSpan.Zero), _ => { });
        var watch = new RunWatch(new ScriptedRun(_ => throw new SiloUnavailableException("silo-0 is gone\nand more")), gone, new PlainProgress(_lines));
        var exception = await Assert.ThrowsAsync<ClusterException>(() => watch.FollowAsync(_ => false, pauseAsked: null, CancellationToken.None));
        Assert.Equal("The cluster does not answer: silo-0 is gone", exception.Message);
    }

    [Fact]
    public async Task A_run_that_is_to_pause_is_followed_until_it_has()
    {
        var run = new ScriptedRun(asked => new RunStatus { State = asked < 2 ? RunState.Pausing : RunState.Paused });
        var watch = new RunWatch(run, Patient, new PlainProgress(_lines));
        Assert.Equal(RunState.Paused, (await watch.FollowAsync(_ => false, Task.CompletedTask, CancellationToken.None)).State);
        Assert.Equal(1, run.Pauses);
        Assert.Equal("stopping at the next step boundary; press Ctrl-C again to stop at once\n", _lines.ToString());
    }

    [Fact]
    public async Task A_run_that_does_not_answer_is_asked_to_pause_at_once()
    {
        var asked = new TaskCompletionSource();
        var run = new ScriptedRun(attempt =>
        {
            if (attempt == 2) asked.SetResult();
            // It hears no question but that.
            return attempt < 4 ? null : new RunStatus { State = RunState.Paused };
        });
        var calls = Calls(new CallTiming { AttemptLimit = TimeSpan.FromMilliseconds(50), RetryInterval = TimeSpan.FromMilliseconds(1), Silence = TimeSpan.Zero });
        var watch = new RunWatch(run, calls, new PlainProgress(_lines));
        Assert.Equal(RunState.Paused, (await watch.FollowAsync(_ => false, asked.Task, CancellationToken.None)).State);
        Assert.Equal(1, run.Pauses);
        Assert.Equal(
            [
                "waiting for the cluster, which does not answer; silo-0 is running",
                "stopping at the next step boundary; press Ctrl-C again to stop at once",
                "the cluster answers again",
            ],
            _lines.ToString().TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public async Task A_watch_that_ends_leaves_the_run_alone()
    {
        using var detached = new CancellationTokenSource();
        var run = new ScriptedRun(asked =>
        {
            if (asked == 2) detached.CancelAfter(TimeSpan.FromMilliseconds(1));
            return new RunStatus { State = RunState.Running };
        });
        var watch = new RunWatch(run, Patient, new PlainProgress(_lines));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => watch.FollowAsync(_ => false, pauseAsked: null, detached.Token));
        Assert.Equal((0, ""), (run.Pauses, _lines.ToString()));
    }

    // The answer of a silo that is gone does not come.
    private RunStatus? End(int silo)
    {
        _ends[silo].TrySetResult();
        return null;
    }

    private Task<RunStatus> FollowAsync(ITrainingRunGrain run, SiloEnd[] silos) =>
        new RunWatch(run, Patient, new PlainProgress(_lines)) { Silos = new SiloEnds(silos) }.FollowAsync(_ => false, pauseAsked: null, CancellationToken.None);

    private sealed class ScriptedRun(Func<int, RunStatus?> answer) : ITrainingRunGrain
    {
        private int _asked;

        public int Pauses { get; private set; }

        public Task<RunStatus> GetStatusAsync(long afterSequence) => answer(_asked++) is { } status ? Task.FromResult(status) : new TaskCompletionSource<RunStatus>().Task;

        public Task PauseAsync()
        {
            Pauses++;
            return Task.CompletedTask;
        }

        public Task StartAsync(RunSubmission submission) => throw new NotSupportedException();

        public Task ResumeAsync() => throw new NotSupportedException();

        public Task ResumeOnOtherDevicesAsync() => throw new NotSupportedException();

        public Task CancelAsync() => throw new NotSupportedException();

        public Task<ExportReport> ExportAsync() => throw new NotSupportedException();

        public Task<RunSubmission?> GetSubmissionAsync() => throw new NotSupportedException();
    }
}
