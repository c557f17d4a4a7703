using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace GenSlmOrleans.Processes;

/// <summary>
/// How a process hangs on the one that started it: that one holds the other end of its standard input, which the
/// operating system closes however it ends, kill -9 included. The line <see cref="Stay"/> lets the process go its own way.
/// </summary>
internal static class ParentPipe
{
    /// <summary>The line after which a process outlives the one that started it, and its console.</summary>
    public const string Stay = "stay";

    private const int OfThisProcess = 0;

    // Kept: what is let go of ends with the collector's next round.
    private static PosixSignalRegistration? s_hangup;

    /// <summary>Ends this process as soon as its standard input ends, unless it has been told to stay.</summary>
    public static void Watch()
    {
        IgnoreHangup();
        new Thread(EndWithParent) { IsBackground = true, Name = "parent pipe" }.Start();
    }

    /// <summary>
    /// Neither Ctrl-C at the console nor its closing concerns this process any more. It stays in the console's session:
    /// where the kernel shares the cores out between sessions (autogroup, sched(7)), niceness counts within one only, and the
    /// devices of a silo in a session of its own would not give way to the silos beside it.
    /// </summary>
    public static void LeaveTerminal()
    {
        if (OperatingSystem.IsWindows()) return;
        IgnoreHangup();
        _ = SetProcessGroup(OfThisProcess, OfThisProcess);
    }

    // From the start: a terminal may close after the line that lets the process stay and before that is read. If it is not to stay, the pipe's end says so.
    private static void IgnoreHangup()
    {
        if (!OperatingSystem.IsWindows()) s_hangup ??= PosixSignalRegistration.Create(PosixSignal.SIGHUP, context => context.Cancel = true);
    }

    private static void EndWithParent()
    {
        using var input = new StreamReader(Console.OpenStandardInput(), Encoding.UTF8);
        while (input.ReadLine() is { } line)
        {
            if (line != Stay) continue;
            LeaveTerminal();
            return;
        }

        Process.GetCurrentProcess().Kill();
    }

    [DllImport("libc", EntryPoint = "setpgid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetProcessGroup(int process, int group);
}
