using System.Runtime.InteropServices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// The priority of a silo that comes up beside others at work on its machine: below that of what computes there, until it has joined.
/// What it replaces is being computed again, and to start takes more of the processor than that. Only where the process may take a
/// lower niceness back (sched(7): CAP_SYS_NICE, or a limit on nice that allows it); elsewhere it has <see cref="StartingCores"/> alone.
/// Does nothing where the operating system is not Linux.
/// </summary>
internal static class StartingNiceness
{
    // Between the devices' 10 and the runtime's compiler, which keeps its own. Not the lowest: on a machine that is busy for long, a silo is to
    // join all the same.
    private const int Starting = 14;
    private const int OfOneThread = 0;

    // Others on the machine may have all of it for long, and a silo has half a minute to join.
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(15);

    /// <summary>Makes every thread of this process, and those that they will start, give way to what computes.</summary>
    /// <returns>Whether it has; <see cref="Leave"/> takes it back.</returns>
    public static bool Take()
    {
        if (!OwnThreads.AreKnown || !MayReturn()) return false;
        ChangeAll(from: 0, to: Starting);
        _ = Task.Delay(Longest).ContinueWith(_ => Leave(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return true;
    }

    /// <summary>Every thread that has not been given another niceness meanwhile gets the usual one again; by itself when the silo could long have started.</summary>
    public static void Leave() => ChangeAll(from: Starting, to: 0);

    // Tried where it does no harm: on a thread that ends.
    private static bool MayReturn()
    {
        bool may = false;
        var trial = new Thread(() => may = GetPriority(OfOneThread, 0) == 0 && SetPriority(OfOneThread, 0, 1) == 0 && SetPriority(OfOneThread, 0, 0) == 0) { Name = "niceness trial" };
        trial.Start();
        trial.Join();
        return may;
    }

    private static void ChangeAll(int from, int to) => OwnThreads.ChangeAll(thread =>
    {
        if (GetPriority(OfOneThread, thread) == from) _ = SetPriority(OfOneThread, thread, to);
    });

    // On Linux 'who' is a thread, 0 the calling one (setpriority(2), C library/kernel differences).
    [DllImport("libc", EntryPoint = "setpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetPriority(int which, int who, int priority);

    [DllImport("libc", EntryPoint = "getpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetPriority(int which, int who);
}
