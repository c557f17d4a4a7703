using System.Runtime.InteropServices;
using GenSlmOrleans.Processes;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// The lifetime of a silo that belongs to a console: it ends with the process that started it, and not before.
/// </summary>
internal sealed class ParentWatch : IHostLifetime, IDisposable
{
    private readonly List<PosixSignalRegistration> _signals = [];

    /// <summary>Makes a silo end with its parent rather than on a signal.</summary>
    public static void Use(WebApplicationBuilder builder) => builder.Services.AddSingleton<IHostLifetime, ParentWatch>();

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        // Ctrl-C goes to the whole foreground group; what it means for the run is the console's to say.
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGQUIT])
            _signals.Add(PosixSignalRegistration.Create(signal, context => context.Cancel = true));
        ParentPipe.Watch();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
    }
}
