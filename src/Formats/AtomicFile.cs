namespace GenSlmOrleans.Formats;

/// <summary>Replaces a file as a whole: whoever reads it, even after a crash, finds the old content or the new.</summary>
public static class AtomicFile
{
    /// <summary>
    /// Writes beside <paramref name="path"/> under a hidden temporary name, flushes to the disk, and renames. When
    /// <paramref name="write"/> or the disk fails, the file that was there stays and the temporary one is removed.
    /// </summary>
    /// <param name="path">The final path; its folder must exist.</param>
    /// <param name="write">Writes the content to a seekable stream; need not close it.</param>
    public static void Write(string path, Action<Stream> write)
    {
        var final = Path.GetFullPath(path);
        var temporary = TemporaryName.Beside(final);
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 1 << 16))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, final, overwrite: true);
        }
        catch
        {
            TemporaryName.TryRemoveFile(temporary);
            throw;
        }

        FolderFlush.Flush(Path.GetDirectoryName(final)!);
    }

    /// <summary>
    /// Puts a new file in the place of <paramref name="path"/> and keeps it open and locked, so that whoever holds the file
    /// that was there holds one without a name. The file goes with neither the handle nor the process.
    /// </summary>
    public static FileStream ReplaceAndHold(string path, Action<Stream> write)
    {
        var final = Path.GetFullPath(path);
        var temporary = TemporaryName.Beside(final);
        FileStream? stream = null;
        try
        {
            stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            write(stream);
            stream.Flush(flushToDisk: true);
            File.Move(temporary, final, overwrite: true);
            return stream;
        }
        catch
        {
            stream?.Dispose();
            TemporaryName.TryRemoveFile(temporary);
            throw;
        }
    }
}
