using System.Runtime.InteropServices;

namespace GenSlmOrleans.Model;

/// <summary>
/// The scheduling priority of threads that compute. Orleans' pool has to answer a probe within half a second however much is
/// being computed, so whatever computes gives way to it: where both want a core, the pool gets nine tenths of it. On an
/// otherwise idle core a nicer thread is as fast as any.
/// </summary>
public static partial class Niceness
{
    /// <summary>Above the pool's 0; each level weighs a quarter more (sched(7)), so that 10 is a ninth of the weight of 0.</summary>
    public const int OfComputing = 10;

    private const int OfOneThread = 0;
    private const uint CallingThread = 0;

    /// <summary>
    /// Makes the calling thread, and the threads that it will start (libtorch's OpenMP team among them), give way to the
    /// pool. Does nothing where the operating system is not Linux: there the priority belongs to the process.
    /// </summary>
    public static void LowerOwnThread()
    {
        // Refused at worst, by a sandbox; the thread then computes at the pool's priority, as correct as before.
        if (OperatingSystem.IsLinux()) _ = SetPriority(OfOneThread, CallingThread, OfComputing);
    }

    /// <summary>What <see cref="LowerOwnThread"/> has made of the calling thread; 0 before, and where it does nothing.</summary>
    public static int OfOwnThread => OperatingSystem.IsLinux() ? GetPriority(OfOneThread, CallingThread) : 0;

    // On Linux 'who' 0 is the calling thread, not its process (setpriority(2), C library/kernel differences).
    [LibraryImport("libc", EntryPoint = "setpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetPriority(int which, uint who, int priority);

    [LibraryImport("libc", EntryPoint = "getpriority")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int GetPriority(int which, uint who);
}
