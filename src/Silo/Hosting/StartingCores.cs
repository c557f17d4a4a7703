using System.Runtime.InteropServices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// The cores of a silo that comes up beside others at work on its machine: one, until it has joined. To start takes seconds
/// of a core, most of them for compiling on several threads, and what it then replaces is being computed again meanwhile:
/// those that are left are to have the other cores for it. A priority would do too, but what is not privileged cannot take
/// a lower one back. Does nothing where the operating system is not Linux.
/// </summary>
internal sealed class StartingCores
{
    // A bit for each core: 8,192, as many as the kernel can be built for.
    private const int MaskBytes = 1024;
    private const int BitsPerByte = 8;

    // With these OpenMP binds its threads to what it finds when it is loaded, for ever.
    private static readonly string[] s_bindings = ["OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY"];

    private readonly byte[]? _own;

    private StartingCores(byte[]? own) => _own = own;

    /// <summary>Keeps every thread of this process, and those that they will start, to the last of its cores.</summary>
    /// <returns>What <see cref="Leave"/> gives back; nothing is taken where there is only one.</returns>
    public static StartingCores Take()
    {
        var own = new byte[MaskBytes];
        if (!OwnThreads.AreKnown || Array.Exists(s_bindings, IsSet) || GetAffinity(0, MaskBytes, own) != 0 || LastAlone(own) is not { } last) return new StartingCores(null);
        SetAll(last);
        return new StartingCores(own);
    }

    /// <summary>Every thread may use every core again that the process was given.</summary>
    public void Leave()
    {
        if (_own is { } own) SetAll(own);
    }

    private static bool IsSet(string variable) => !string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable));

    /// <summary>The mask of the last core of <paramref name="mask"/>; null when it is the only one.</summary>
    private static byte[]? LastAlone(byte[] mask)
    {
        int[] cores = [.. Enumerable.Range(0, mask.Length * BitsPerByte).Where(core => (mask[core / BitsPerByte] >> (core % BitsPerByte) & 1) != 0)];
        if (cores.Length < 2) return null;
        var last = new byte[mask.Length];
        last[cores[^1] / BitsPerByte] = (byte)(1 << (cores[^1] % BitsPerByte));
        return last;
    }

    private static void SetAll(byte[] mask) => OwnThreads.ChangeAll(thread => _ = SetAffinity(thread, MaskBytes, mask));

    [DllImport("libc", EntryPoint = "sched_getaffinity")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int GetAffinity(int thread, nuint size, [Out] byte[] mask);

    [DllImport("libc", EntryPoint = "sched_setaffinity")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetAffinity(int thread, nuint size, byte[] mask);
}
