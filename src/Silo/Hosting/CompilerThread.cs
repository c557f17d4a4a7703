using System.Globalization;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Processes;

/// <summary>
/// The runtime's thread that compiles again, better, what has been called often. It has most to do when a process has just
/// come up or does for the first time what a death asks of it, and would then take the cores from the devices, whose threads give
/// way to everybody else's (<c>Niceness</c>): it gives way to them. What is compiled a little later is slower until then
/// and no less right.
/// </summary>
internal static class CompilerThread
{
    /// <summary>
    /// The runtime's setting by which the thread stays when it has nothing to do for so many milliseconds, in hexadecimal: it is
    /// looked for once. Only the environment has it; without it the thread ends after some quiet seconds, and the next one does not give way.
    /// </summary>
    public const string TimeoutSetting = "DOTNET_TC_BackgroundWorkerTimeoutMs";

    /// <summary>For as long as a process may live.</summary>
    public const string NoTimeout = "7FFFFFFF";

    // As the kernel cuts it, after 15 characters (proc(5), comm).
    private const string Name = ".NET Tiered Com";
    private const string Threads = "/proc/self/task";

    // Beyond that of the devices' threads, 10: a third of their weight (sched(7)).
    private const int Niceness = 15;
    private const int OfOneThread = 0;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(50);

    // The runtime may have been told not to compile anything twice.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    /// <summary>Looks for the thread for a while, until it is there, and makes it give way. Does nothing where the operating system is not Linux.</summary>
    public static async Task GiveWayAsync()
    {
        if (!OperatingSystem.IsLinux()) return;
        using var timer = new PeriodicTimer(Interval);
        for (var waited = TimeSpan.Zero; waited < Patience; waited += Interval)
        {
            await timer.WaitForNextTickAsync();
            if (Find() is not { } thread) continue;
            // Refused at worst, by a sandbox.
            _ = SetPriority(OfOneThread, thread, Niceness);
            return;
        }
    }

    private static int? Find()
    {
        foreach (var folder in Directory.EnumerateDirectories(Threads))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(folder, "comm")).TrimEnd() == Name) return int.Parse(Path.GetFileName(folder), CultureInfo.InvariantCulture);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It has ended meanwhile.
            }
        }

        return null;
    }

    // On Linux 'who' is a thread (setpriority(2), C library/kernel differences).
    [DllImport("libc", EntryPoint = "setpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetPriority(int which, int who, int priority);
}
