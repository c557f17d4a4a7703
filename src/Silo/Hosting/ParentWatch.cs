using System.Diagnostics;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// The lifetime of a silo that belongs to a console: it ends with the process that started it, and not before. That one
/// holds the other end of our standard input, which the operating system closes however it ends, kill -9 included.
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
        new Thread(EndWithParent) { IsBackground = true, Name = "parent watch" }.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static void EndWithParent()
    {
        using var input = Console.OpenStandardInput();
        Span<byte> buffer = stackalloc byte[64];
        while (input.Read(buffer) > 0)
        {
        }

        Process.GetCurrentProcess().Kill();
    }

    public void Dispose()
    {
        foreach (var signal in _signals) signal.Dispose();
    }
}
