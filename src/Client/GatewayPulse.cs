using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Client;

/// <summary>
/// Asks a client's gateway every second whether it is alive, and leaves it when it says nothing: of a paused process Orleans'
/// client waits for answers for ever.
/// </summary>
internal sealed class GatewayPulse : IAsyncDisposable
{
    // Longer than a busy machine takes to answer, shorter than a cluster takes to be given up.
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _end = new();
    private readonly Task _beating;

    public GatewayPulse(IGrainFactory grains, GatewayList gateways) => _beating = BeatAsync(grains, gateways, _end.Token);

    private static async Task BeatAsync(IGrainFactory grains, GatewayList gateways, CancellationToken end)
    {
        using var timer = new PeriodicTimer(Interval);
        try
        {
            while (await timer.WaitForNextTickAsync(end))
            {
                if (!await AnswersAsync(grains, end)) gateways.Leave();
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // The connection is closed.
        }
    }

    private static async Task<bool> AnswersAsync(IGrainFactory grains, CancellationToken end)
    {
        try
        {
            await grains.GetGrain<IPulseGrain>(0).BeatAsync().WaitAsync(AnswerLimit, end);
            return true;
        }
        catch (Exception exception)
        {
            // No answer, or no connection; any other error is an answer, also that the cluster is older and has no pulse. A call that
            // fails while the connection is being closed says nothing of the gateway.
            return end.IsCancellationRequested || exception is not (TimeoutException or OrleansException);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _beating;
        _end.Dispose();
    }
}
