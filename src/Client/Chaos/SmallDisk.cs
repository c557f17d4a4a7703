namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// A file system small enough to be filled: a tmpfs, mounted over a folder. Mounting takes rights; without them a user
/// namespace has them ('unshare --map-root-user --mount').
/// </summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private const int FewestMegabytes = 64;

    // What is there at the end, a checkpoint that is being written, and one that is being removed.
    private const int Room = 3;
    private const string BallastName = "ballast";

    private readonly string _folder;

    private SmallDisk(string folder) => _folder = folder;

    /// <summary>Why there can be none; null when there can.</summary>
    /// <param name="scratch">A folder to try it in.</param>
    public static async Task<string?> ObstacleAsync(string scratch)
    {
        try
        {
            await using (await MountAsync(Path.Combine(scratch, "mount-trial"), 0)) return null;
        }
        catch (IOException exception)
        {
            return $"a small file system cannot be mounted ({exception.Message}); as root, or by 'unshare --map-root-user --mount ./genslm chaos …', it can";
        }
    }

    /// <summary>Mounts one over a folder, which is created.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="contentSizeBytes">What a run has there at its end.</param>
    /// <exception cref="IOException">The system refuses.</exception>
    public static async Task<SmallDisk> MountAsync(string folder, long contentSizeBytes)
    {
        Directory.CreateDirectory(folder);
        await SystemCommand.RunAsync("mount", "-t", "tmpfs", "-o", $"size={Math.Max(FewestMegabytes, Room * (contentSizeBytes >> 20))}m", "genslm-chaos", folder);
        return new SmallDisk(folder);
    }

    /// <summary>Takes the last byte.</summary>
    public void Fill()
    {
        using var ballast = new FileStream(Path.Combine(_folder, BallastName), FileMode.Append, FileAccess.Write, FileShare.None, bufferSize: 0);
        foreach (int size in (int[])[1 << 20, 1 << 12, 1])
        {
            var bytes = new byte[size];
            try
            {
                while (true) ballast.Write(bytes);
            }
            catch (IOException)
            {
                // Full, as far as pieces of this size go.
            }
        }
    }

    /// <summary>Gives the space back.</summary>
    public void Free() => File.Delete(Path.Combine(_folder, BallastName));

    /// <summary>Keeps what is on it in its place, and unmounts it.</summary>
    public async ValueTask DisposeAsync()
    {
        Free();
        var saved = $"{_folder}-saved";
        await SystemCommand.RunAsync("cp", "-a", _folder, saved);
        // Lazily: somebody may still have a file of it open.
        await SystemCommand.RunAsync("umount", "-l", _folder);
        Directory.Delete(_folder);
        Directory.Move(saved, _folder);
    }
}
