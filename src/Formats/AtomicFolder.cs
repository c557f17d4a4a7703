namespace GenSlmOrleans.Formats;

/// <summary>
/// A folder of files that appears as a whole or not at all: it is written under a hidden temporary name beside its final
/// place, every file is flushed to the disk, and <see cref="Commit"/> renames it. Disposed without a commit, it is removed.
/// </summary>
public sealed class AtomicFolder : IDisposable
{
    private readonly string _finalPath;
    private readonly List<DurableFile> _files = [];
    private bool _finished;

    private AtomicFolder(string finalPath)
    {
        _finalPath = finalPath;
        TemporaryPath = TemporaryName.Beside(finalPath);
        Directory.CreateDirectory(TemporaryPath);
    }

    /// <summary>Where the files are until <see cref="Commit"/>.</summary>
    public string TemporaryPath { get; }

    /// <summary>Begins a folder that will be <paramref name="finalPath"/>; parent folders are created.</summary>
    /// <exception cref="IOException">The final path is taken already.</exception>
    public static AtomicFolder Create(string finalPath)
    {
        finalPath = Path.TrimEndingDirectorySeparator(Path.GetFullPath(finalPath));
        ThrowIfTaken(finalPath);
        return new AtomicFolder(finalPath);
    }

    /// <summary>A new file in the folder, seekable; disposing it flushes it to the disk.</summary>
    /// <param name="name">A file name without a path.</param>
    public Stream CreateFile(string name)
    {
        if (name.Length == 0 || name is "." or ".." || name.AsSpan().IndexOfAny('/', '\\', '\0') >= 0)
            throw new ArgumentException($"The name is '{name}'; a file name without a path is expected.", nameof(name));
        ObjectDisposedException.ThrowIf(_finished, this);
        var file = new DurableFile(Path.Combine(TemporaryPath, name));
        _files.Add(file);
        return file;
    }

    /// <summary>Makes the folder appear under its final name.</summary>
    /// <exception cref="InvalidOperationException">A file is still open, or could not be flushed.</exception>
    /// <exception cref="IOException">The final path is taken, or the disk refuses.</exception>
    public void Commit()
    {
        ObjectDisposedException.ThrowIf(_finished, this);
        if (_files.Find(file => !file.IsDurable) is { } unfinished)
            throw new InvalidOperationException($"{unfinished.Name} is still open or could not be written to the disk.");
        ThrowIfTaken(_finalPath);
        FolderFlush.Flush(TemporaryPath);
        Directory.Move(TemporaryPath, _finalPath);
        _finished = true;
        FolderFlush.Flush(Path.GetDirectoryName(_finalPath)!);
    }

    /// <summary>Removes the folder and all in it, unless it was committed.</summary>
    public void Dispose()
    {
        if (_finished) return;
        _finished = true;
        foreach (var file in _files) file.Abandon();
        if (Directory.Exists(TemporaryPath)) Directory.Delete(TemporaryPath, recursive: true);
    }

    /// <summary>
    /// Removes the temporary files and folders that crashed writers left in <paramref name="parent"/>, recognised by their
    /// names. Call it only while nothing is being written there. Returns how many there were.
    /// </summary>
    public static int RemoveLeftovers(string parent)
    {
        if (!Directory.Exists(parent)) return 0;
        int removed = 0;
        foreach (var path in Directory.GetFileSystemEntries(parent))
        {
            if (!TemporaryName.IsTemporary(path)) continue;
            var attributes = File.GetAttributes(path);
            // A link is removed itself; what it points at is not ours.
            bool isFolder = attributes.HasFlag(FileAttributes.Directory) && !attributes.HasFlag(FileAttributes.ReparsePoint);
            if (isFolder) Directory.Delete(path, recursive: true);
            else File.Delete(path);
            removed++;
        }

        return removed;
    }

    /// <summary>Removes a folder: its name goes first, so that nobody sees it half gone; what a crash leaves over has a temporary name.</summary>
    public static void Remove(string path)
    {
        var condemned = TemporaryName.Beside(path);
        Directory.Move(path, condemned);
        Directory.Delete(condemned, recursive: true);
    }

    private static void ThrowIfTaken(string path)
    {
        if (Path.Exists(path)) throw new IOException($"{path} exists already; a name that is free is expected.");
    }

    /// <summary>A file that is on the disk, not only in memory, once it has been disposed.</summary>
    private sealed class DurableFile(string path) : FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 1 << 16)
    {
        private bool _abandoned;

        public bool IsDurable { get; private set; }

        public void Abandon()
        {
            _abandoned = true;
            try
            {
                Dispose();
            }
            catch (IOException)
            {
                // What it still wanted to write does not fit; it is removed anyhow.
            }
        }

        protected override void Dispose(bool disposing)
        {
            try
            {
                if (disposing && CanWrite && !_abandoned)
                {
                    Flush(flushToDisk: true);
                    IsDurable = true;
                }
            }
            finally
            {
                base.Dispose(disposing);
            }
        }
    }
}
