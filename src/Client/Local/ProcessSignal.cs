using System.Runtime.InteropServices;

namespace GenSlmOrleans.Client.Local;

/// <summary>Signals to processes of this machine, by the numbers that its operating system gives them.</summary>
internal static class ProcessSignal
{
    private static readonly bool IsMac = OperatingSystem.IsMacOS();

    public static int Kill => 9;

    public static int Terminate => 15;

    /// <summary>Halts a process wherever it is; it cannot refuse.</summary>
    public static int Stop => IsMac ? 17 : 19;

    /// <summary>Lets a halted process go on.</summary>
    public static int Continue => IsMac ? 19 : 18;

    /// <summary>Sends a signal; one to a process that has ended goes nowhere.</summary>
    public static void Send(int process, int signal) => _ = SendSignal(process, signal);

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SendSignal(int process, int signal);
}
