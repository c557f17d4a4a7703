namespace GenSlmOrleans.Bench;

/// <summary>
/// Where clusters and runs of this process go, one after the other: one place for all, since the console's class that finds a cluster looks in one
/// folder for as long as the process lives.
/// </summary>
internal static class ScratchFolder
{
    /// <summary>The folder, which is made by whoever writes to it.</summary>
    public static string Path { get; } = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"genslm-bench-{Guid.NewGuid():N}");

    /// <summary>A file or folder in it.</summary>
    public static string File(string name) => System.IO.Path.Combine(Path, name);

    /// <summary>Removes it with all that is in it.</summary>
    public static void Clear()
    {
        if (Directory.Exists(Path)) Directory.Delete(Path, recursive: true);
    }
}
