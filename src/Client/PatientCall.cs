using GenSlmOrleans.Abstractions;
using Orleans.Runtime;
using Orleans.Serialization;

namespace GenSlmOrleans.Client;

/// <summary>How calls are repeated.</summary>
internal sealed record CallTiming
{
    /// <summary>When an attempt without an answer has failed: it may have been on its way through a silo that is lost.</summary>
    public TimeSpan AttemptLimit { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What that grows to, attempt by attempt: a cluster may be slower than any limit chosen here.</summary>
    public TimeSpan LongestAttempt { get; init; } = TimeSpan.FromMinutes(1);

    public TimeSpan RetryInterval { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>How long it is waited silently: the loss of a silo takes seconds, and the run tells of it.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromSeconds(5);
}

/// <summary>
/// Calls that may be made again, repeated for as long as the cluster is there: busy with the loss of a silo or of its Redis, or
/// slower than anybody expects. What is waited for is told once, and again when it is something else.
/// </summary>
/// <param name="presence">Whether the cluster is there.</param>
/// <param name="tell">Shows a line.</param>
/// <param name="timing">How calls are repeated.</param>
internal sealed class PatientCall(ClusterPresence presence, Action<string> tell, CallTiming? timing = null)
{
    private readonly CallTiming _timing = timing ?? new CallTiming();
    private readonly Lock _gate = new();
    private string? _told;

    /// <summary>The same, told to somebody else.</summary>
    public PatientCall Telling(Action<string> other) => new(presence, other, _timing);

    /// <summary>Makes a call until it succeeds.</summary>
    /// <param name="call">The call.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="attemptLimit">When an attempt without an answer has failed, if not as usual.</param>
    /// <exception cref="ClusterException">Nothing is left of the cluster; the message is the last failure's.</exception>
    public async Task<T> AskAsync<T>(Func<Task<T>> call, CancellationToken cancellation, TimeSpan? attemptLimit = null)
    {
        var limit = attemptLimit ?? _timing.AttemptLimit;
        long? firstFailure = null;
        long? unseenSince = null;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                var answer = await call().WaitAsync(limit, cancellation);
                Say(null);
                return answer;
            }
            catch (Exception exception) when (MayPass(exception) && !cancellation.IsCancellationRequested)
            {
                if (exception is TimeoutException && limit > TimeSpan.Zero && limit < _timing.LongestAttempt) limit *= 2;
                firstFailure ??= TimeProvider.System.GetTimestamp();
                var sight = await presence.LookAsync(cancellation);
                unseenSince = sight.IsThere ? null : unseenSince ?? TimeProvider.System.GetTimestamp();
                if (unseenSince is { } since && HasPassed(presence.Absence, since)) throw exception as ClusterException ?? new ClusterException($"The cluster does not answer: {exception.Message.Split('\n')[0]}");
                if (HasPassed(_timing.Silence, firstFailure.Value)) Say($"waiting for the cluster, which does not answer; {sight.Text}");
                await Task.Delay(_timing.RetryInterval, cancellation);
            }
        }
    }

    /// <summary>Makes a call without an answer until it succeeds.</summary>
    /// <exception cref="ClusterException">Nothing is left of the cluster.</exception>
    public Task TellAsync(Func<Task> call, CancellationToken cancellation) => AskAsync(
        async () =>
        {
            await call();
            return true;
        },
        cancellation);

    // Null: there is an answer.
    private void Say(string? waitsFor)
    {
        lock (_gate)
        {
            if (_told == waitsFor) return;
            _told = waitsFor;
        }

        tell(waitsFor ?? "the cluster answers again");
    }

    private static bool HasPassed(TimeSpan time, long since) => TimeProvider.System.GetElapsedTime(since) >= time;

    // A connection that breaks cancels the calls on it.
    private static bool MayPass(Exception exception) =>
        exception is OrleansException or NotAMemberException or SerializerException or ClusterException or TimeoutException or IOException or OperationCanceledException or SupersededException;
}
