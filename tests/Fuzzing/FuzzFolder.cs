namespace GenSlmOrleans.Fuzzing;

/// <summary>A folder for the files of cases: in memory where Linux has room for that, since every token store is flushed to the disk otherwise.</summary>
public sealed class FuzzFolder : IDisposable
{
    private const string InMemory = "/dev/shm";
    private const long RoomNeeded = 1L << 30;

    public string Path { get; } = Directory.CreateDirectory(System.IO.Path.Combine(Parent(), $"genslm-fuzz-{Guid.NewGuid():n}")).FullName;

    /// <summary>Leaves the folder and its files where they are.</summary>
    public bool IsKept { get; set; }

    public void Dispose()
    {
        if (!IsKept) Directory.Delete(Path, recursive: true);
    }

    private static string Parent() => Directory.Exists(InMemory) && new DriveInfo(InMemory).AvailableFreeSpace >= RoomNeeded ? InMemory : System.IO.Path.GetTempPath();
}
