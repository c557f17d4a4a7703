using System.Diagnostics;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Time that the calling thread has computed; on systems other than Linux, time that has passed.</summary>
public static partial class ThreadClock
{
    // CLOCK_THREAD_CPUTIME_ID of Linux' time.h: other work on a shared machine does not count.
    private const int ThreadProcessorTime = 3;

    public static TimeSpan Now =>
        OperatingSystem.IsLinux() && Environment.Is64BitProcess && GetTime(ThreadProcessorTime, out var time) == 0
            ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TimeSpan.NanosecondsPerTick)
            : TimeSpan.FromTicks(Stopwatch.GetTimestamp() * TimeSpan.TicksPerSecond / Stopwatch.Frequency);

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int GetTime(int clock, out Time time);

    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct Time(long Seconds, long Nanoseconds);
}
