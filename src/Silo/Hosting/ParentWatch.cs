using System.Diagnostics;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// Ends this process with the one that started it. That one holds the other end of our standard input, which the
/// operating system closes however it ends, kill -9 included.
/// </summary>
internal static class ParentWatch
{
    private static PosixSignalRegistration? s_interrupt;

    public static void Start()
    {
        // Ctrl-C goes to the whole foreground group; what it means for the run is the console's to say.
        s_interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = true);
        new Thread(WaitForEnd) { IsBackground = true, Name = "parent watch" }.Start();
    }

    private static void WaitForEnd()
    {
        using var input = Console.OpenStandardInput();
        Span<byte> buffer = stackalloc byte[64];
        while (input.Read(buffer) > 0)
        {
        }

        s_interrupt?.Dispose();
        Process.GetCurrentProcess().Kill();
    }
}
