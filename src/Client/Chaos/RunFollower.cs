using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// Asks a run where it stands, again and again, whoever dies meanwhile: a call that fails is asked again, a connection that
/// does not come back is made anew. Keeps all events, also those of drivers that are gone.
/// </summary>
internal sealed class RunFollower(Func<CancellationToken, Task<ClusterConnection>> connect, string runId) : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConnectionPatience = TimeSpan.FromSeconds(15);

    private readonly List<RunEvent> _events = [];
    private ClusterConnection? _connection;
    private long _seen;

    /// <summary>The latest answer, without events.</summary>
    public RunStatus Status { get; private set; } = new() { RunId = runId };

    /// <summary>Everything that has happened, oldest first.</summary>
    public IReadOnlyList<RunEvent> Events
    {
        get
        {
            lock (_events) return [.. _events];
        }
    }

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
            catch (Exception exception) when (exception is OrleansException or TimeoutException or ClusterException or IOException or InvalidOperationException)
            {
                if (TimeProvider.System.GetElapsedTime(failing) > ConnectionPatience) await ReconnectAsync();
                await Task.Delay(Interval, cancellation);
            }
        }

        async Task ReconnectAsync()
        {
            if (_connection is { } old) await old.DisposeAsync();
            _connection = null;
            failing = TimeProvider.System.GetTimestamp();
        }
    }

    /// <summary>Follows the run until it is over, or cancelled.</summary>
    public async Task FollowAsync(CancellationToken cancellation)
    {
        do
        {
            Take(await AskAsync(run => run.GetStatusAsync(_seen), cancellation));
            await Task.Delay(Interval, cancellation);
        }
        while (!Status.IsOver);
    }

    /// <summary>Waits, while somebody follows the run, until it is as it should be or over; false: over.</summary>
    public async Task<bool> UntilAsync(Func<RunStatus, bool> holds, CancellationToken cancellation)
    {
        while (true)
        {
            var status = Status;
            if (holds(status)) return true;
            if (status.IsOver) return false;
            await Task.Delay(Interval, cancellation);
        }
    }

    private void Take(RunStatus status)
    {
        lock (_events)
        {
            _events.AddRange(status.Events.Where(happened => happened.Sequence > _seen));
            if (!status.Events.IsEmpty) _seen = Math.Max(_seen, status.Events[^1].Sequence);
        }

        Status = status with { Events = [] };
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is { } connection) await connection.DisposeAsync();
    }
}
