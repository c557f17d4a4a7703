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

    /// <summary>Ends this process as soon as its standard input ends, unless it has been told to stay.</summary>
    public static void Watch() => new Thread(EndWithParent) { IsBackground = true, Name = "parent pipe" }.Start();

    /// <summary>Neither Ctrl-C at the console nor its closing concerns this process any more.</summary>
    public static void LeaveTerminal()
    {
        if (!OperatingSystem.IsWindows()) _ = NewSession();
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

    [DllImport("libc", EntryPoint = "setsid")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int NewSession();
}
