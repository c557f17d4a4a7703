using System.Runtime.InteropServices;

namespace GenSlmOrleans.Client.Commands;

/// <summary>Ctrl-C and SIGTERM as a command takes them: the first is a wish, the second an order.</summary>
internal sealed class Interruption : IDisposable
{
    private readonly CancellationTokenSource _now = new();
    private readonly CancellationTokenSource _any = new();
    private readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly CancellationTokenRegistration _above;
    private readonly bool _firstIsOrder;

    /// <param name="cancellation">Is an order too.</param>
    /// <param name="firstIsOrder">Whether already the first ends the command.</param>
    public Interruption(CancellationToken cancellation, bool firstIsOrder = false)
    {
        _firstIsOrder = firstIsOrder;
        _above = cancellation.Register(() =>
        {
            _any.Cancel();
            _now.Cancel();
        });
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM])
            _signals.Add(PosixSignalRegistration.Create(signal, Take));
    }

    /// <summary>Completes with the first.</summary>
    public Task Wish => _first.Task;

    /// <summary>Cancelled already by the first: for what has nothing to finish.</summary>
    public CancellationToken Any => _any.Token;

    /// <summary>Cancelled by the second.</summary>
    public CancellationToken Order => _now.Token;

    private void Take(PosixSignalContext context)
    {
        context.Cancel = true;
        _any.Cancel();
        if (!_first.TrySetResult() || _firstIsOrder) _now.Cancel();
    }

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _above.Dispose();
        _now.Dispose();
        _any.Dispose();
    }
}
