using GenSlmOrleans.Abstractions;
using Orleans.Runtime;
using Orleans.Serialization;

namespace GenSlmOrleans.Client;

/// <summary>
/// Calls that may be made again, repeated while a cluster is busy with the loss of a silo or of its Redis: what the silo held
/// is up elsewhere seconds later. An attempt has a time limit of its own, for an answer may have been on its way through the lost one.
/// </summary>
internal static class PatientCall
{
    /// <summary>How long a cluster may be busy with a loss before it counts as gone.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromSeconds(60);

    private static readonly TimeSpan AttemptLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(200);

    /// <summary>Makes a call until it succeeds.</summary>
    /// <param name="call">The call.</param>
    /// <param name="patience">How long after the first failure it is tried again.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="attemptLimit">When an attempt without an answer has failed; default: 5 s.</param>
    /// <exception cref="ClusterException">It failed to the end; the message is the last failure's.</exception>
    public static async Task<T> AskAsync<T>(Func<Task<T>> call, TimeSpan patience, CancellationToken cancellation, TimeSpan? attemptLimit = null)
    {
        long? firstFailure = null;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            try
            {
                return await call().WaitAsync(attemptLimit ?? AttemptLimit, cancellation);
            }
            catch (Exception exception) when (MayPass(exception) && !cancellation.IsCancellationRequested)
            {
                firstFailure ??= TimeProvider.System.GetTimestamp();
                if (TimeProvider.System.GetElapsedTime(firstFailure.Value) >= patience) throw new ClusterException($"The cluster does not answer: {exception.Message.Split('\n')[0]}");
                await Task.Delay(RetryInterval, cancellation);
            }
        }
    }

    /// <summary>Makes a call without an answer until it succeeds.</summary>
    /// <exception cref="ClusterException">It failed to the end.</exception>
    public static Task TellAsync(Func<Task> call, CancellationToken cancellation) => AskAsync(
        async () =>
        {
            await call();
            return true;
        },
        Patience,
        cancellation);

    // A connection that breaks cancels the calls on it.
    private static bool MayPass(Exception exception) =>
        exception is OrleansException or SerializerException or TimeoutException or IOException or OperationCanceledException or SupersededException;
}
