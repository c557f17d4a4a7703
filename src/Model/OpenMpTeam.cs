namespace GenSlmOrleans.Model;

/// <summary>
/// libgomp's threads for the parallel parts of what a thread computes. When a part ends they look for the next for some milliseconds
/// (GOMP_SPINCOUNT), which is right between two kernels and wrong when what follows is others' work on the same cores.
/// </summary>
internal static unsafe class OpenMpTeam
{
    // omp.h, OpenMP 5.0.
    private const int PauseSoft = 1;

    private static readonly Lazy<nint> PauseAll = new(() => NativeLibraries.TryFindSymbol(NativeLibraries.OpenMp, "omp_pause_resource_all", out nint address) ? address : 0);

    /// <summary>
    /// Ends the threads of the calling thread's team; the next parallel part starts others, whose number is set again before. Does
    /// nothing where this libtorch has no libgomp.
    /// </summary>
    public static void Release()
    {
        if (PauseAll.Value is var address and not 0) _ = ((delegate* unmanaged[Cdecl]<int, int>)address)(PauseSoft);
    }
}
