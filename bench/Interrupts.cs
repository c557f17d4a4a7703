using System.Runtime.InteropServices;

namespace GenSlmOrleans.Bench;

/// <summary>Ctrl-C and SIGTERM as a token, so that a bench ends its processes before itself.</summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _source = new();
    private readonly PosixSignalRegistration[] _signals;

    public Interrupts() => _signals = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Take), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Take)];

    /// <summary>Cancelled by the first of them.</summary>
    public CancellationToken Token => _source.Token;

    private void Take(PosixSignalContext context)
    {
        context.Cancel = true;
        _source.Cancel();
    }

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
        _source.Dispose();
    }
}
