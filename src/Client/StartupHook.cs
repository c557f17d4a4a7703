using GenSlmOrleans.Processes;

/// <summary>
/// What .NET runs before the entry point of a program that DOTNET_STARTUP_HOOKS tells it to (its name and shape are
/// .NET's). So Garnet, which we start but did not write, ends with the console that started it, and does
/// not compile on the cores that its cluster computes on.
/// </summary>
#pragma warning disable MA0047 // .NET looks for it outside any namespace.
internal static class StartupHook
#pragma warning restore MA0047
{
    public static void Initialize()
    {
        // Before the pool is there: as Directory.Build.targets has it for our own programs.
        AppContext.SetData("System.Threading.ThreadPool.UnfairSemaphoreSpinLimit", 0);
        // Ctrl-C lets a run finish its step, and for that it needs its Redis.
        ParentPipe.LeaveTerminal();
        ParentPipe.Watch();
        _ = CompilerThread.GiveWayAsync();
    }
}
