using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// Asks a run where it stands, again and again, whoever dies meanwhile: a call that fails is asked again, a connection that
/// does not come back is made anew. Keeps all events, also those of drivers that are gone.
/// </summary>
internal sealed class RunFollower(Func<CancellationToken, Task<ClusterConnection>> connect, string runId, string output) : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectionPatience = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan AlonePatience = TimeSpan.FromMinutes(2);

    private readonly Lock _gate = new();
    private ImmutableList<RunEvent> _events = [];
    private ClusterConnection? _connection;
    private (long Since, long MetricsLength)? _alone;
    private long _seen;

    /// <summary>Its output folder.</summary>
    public string Output => output;

    /// <summary>The latest answer, without events.</summary>
    public RunStatus Status { get; private set; } = new() { RunId = runId };

    /// <summary>Everything that has happened, oldest first.</summary>
    public ImmutableList<RunEvent> Events => _events;

    /// <summary>A run that fails will be resumed: it is not over.</summary>
    public bool GoesOnAfterFailure { get; set; }

    public bool IsOver => Status.IsOver && !(GoesOnAfterFailure && Status.State == RunState.Failed);

    /// <summary>What was not as it must be, a sentence; null: nothing.</summary>
    public string? Objection { get; private set; }

    /// <summary>
    /// Asks nothing until the run has gone on by itself, as its metrics tell: to be asked wakes it, and it has to wake when
    /// nobody asks.
    /// </summary>
    public void LeaveAlone() => _alone = (TimeProvider.System.GetTimestamp(), MetricsLength());

    /// <summary>Asks the run for something, again and again until it answers.</summary>
    public async Task<T> AskAsync<T>(Func<ITrainingRunGrain, Task<T>> ask, CancellationToken cancellation)
    {
        long failing = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                _connection ??= await connect(cancellation);
                return await ask(_connection.Grains.GetGrain<ITrainingRunGrain>(runId)).WaitAsync(AnswerTimeout, cancellation);
            }
            catch (Exception exception) when (exception is OrleansException or NotAMemberException or TimeoutException or ClusterException or IOException or InvalidOperationException)
            {
                if (TimeProvider.System.GetElapsedTime(failing) > ConnectionPatience)
                {
                    await DisconnectAsync();
                    failing = TimeProvider.System.GetTimestamp();
                }

                await Task.Delay(Interval, cancellation);
            }
        }
    }

    /// <summary>Has a run that failed go on, and waits until it does.</summary>
    public async Task ResumeAsync(CancellationToken cancellation)
    {
        await AskAsync(
            async grain =>
            {
                await grain.ResumeAsync();
                return true;
            },
            cancellation);
        await UntilAsync(status => status.State is not RunState.Failed, cancellation);
    }

    /// <summary>Follows the run until it is over, or cancelled.</summary>
    public async Task FollowAsync(CancellationToken cancellation)
    {
        do
        {
            await Task.Delay(Interval, cancellation);
            if (!IsLeftAlone()) Take(await AskAsync(run => run.GetStatusAsync(_seen), cancellation));
        }
        while (!IsOver);
    }

    /// <summary>Waits, while somebody follows the run, until it is as it should be or over; false: over.</summary>
    public async Task<bool> UntilAsync(Func<RunStatus, bool> holds, CancellationToken cancellation)
    {
        while (true)
        {
            if (holds(Status)) return true;
            if (IsOver) return false;
            await Task.Delay(Interval, cancellation);
        }
    }

    private bool IsLeftAlone()
    {
        if (_alone is not { } alone) return false;
        if (alone.MetricsLength == MetricsLength())
        {
            if (TimeProvider.System.GetElapsedTime(alone.Since) < AlonePatience) return true;
            Objection = $"it did not go on by itself within {AlonePatience.TotalMinutes:F0} minutes after step {Status.Step}";
        }

        _alone = null;
        return false;
    }

    private long MetricsLength() => new FileInfo(Path.Combine(output, "metrics.jsonl")) is { Exists: true } file ? file.Length : 0;

    private void Take(RunStatus status)
    {
        lock (_gate)
        {
            _events = _events.AddRange(status.Events.Where(happened => happened.Sequence > _seen));
            if (!status.Events.IsEmpty) _seen = Math.Max(_seen, status.Events[^1].Sequence);
        }

        Status = status with { Events = [] };
    }

    private async Task DisconnectAsync()
    {
        if (_connection is { } connection) await connection.DisposeAsync();
        _connection = null;
    }

    public async ValueTask DisposeAsync() => await DisconnectAsync();
}
