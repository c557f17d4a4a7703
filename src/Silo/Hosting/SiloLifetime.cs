using System.Diagnostics;
using System.Runtime.InteropServices;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Processes;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// What signals mean to a silo: the first SIGTERM (or Ctrl-C, where it has a terminal of its own) lets it hand over and
/// leave, the second ends it at once. A silo that belongs to a console leaves Ctrl-C to it and ends with it.
/// </summary>
internal sealed class SiloLifetime(SiloSettings settings, SiloDrain drain) : IHostLifetime, IDisposable
{
    private readonly List<PosixSignalRegistration> _signals = [];

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        // Ctrl-C goes to the whole foreground group; what it means for the run is then the console's to say.
        Action<PosixSignalContext> interrupt = settings.EndsWithParent ? context => context.Cancel = true : Leave;
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, interrupt));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGQUIT, interrupt));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, Leave));
        if (settings.EndsWithParent) ParentPipe.Watch();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void Leave(PosixSignalContext context)
    {
        context.Cancel = true;
        if (drain.IsDraining) Process.GetCurrentProcess().Kill();
        drain.Begin();
    }

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
    }
}
