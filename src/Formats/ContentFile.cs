using Microsoft.Win32.SafeHandles;

namespace GenSlmOrleans.Formats;

/// <summary>
/// A file read at offsets, safe for several threads. Plain positioned reads, not a memory map: they are as fast from
/// the page cache, and a file that is cut short while it is read becomes an error with a name instead of a fatal signal.
/// </summary>
internal sealed class ContentFile : IDisposable
{
    private readonly SafeFileHandle _handle;

    private ContentFile(string path, SafeFileHandle handle)
    {
        Path = path;
        _handle = handle;
        Length = RandomAccess.GetLength(handle);
    }

    public string Path { get; }

    /// <summary>Bytes in the file when it was opened; every size read from the file is checked against it.</summary>
    public long Length { get; }

    /// <exception cref="WeightFileException">There is no such file, or it cannot be opened.</exception>
    public static ContentFile Open(string path)
    {
        try
        {
            return new ContentFile(path, File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WeightFileException($"{path}: there is no such file.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw new WeightFileException($"{path}: the file cannot be opened ({error.Message})", error);
        }
    }

    /// <summary>An error whose message starts with the file's path.</summary>
    public WeightFileException Bad(string sentence) => new($"{Path}: {sentence}");

    /// <summary>Fills <paramref name="destination"/> with the bytes at <paramref name="offset"/>.</summary>
    /// <exception cref="WeightFileException">The file ends before, or the system cannot read it.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            for (long end = offset + destination.Length; !destination.IsEmpty;)
            {
                int read = RandomAccess.Read(_handle, destination, offset);
                if (read == 0) throw Bad($"the file ends before byte {end}; it is incomplete or was cut short while it was read.");
                destination = destination[read..];
                offset += read;
            }
        }
        catch (IOException error)
        {
            throw new WeightFileException($"{Path}: the file cannot be read at byte {offset} ({error.Message})", error);
        }
    }

    /// <summary>A new array with the bytes at <paramref name="offset"/>; the size is checked before anything is allocated.</summary>
    public byte[] ReadBlock(long offset, long length, long limit, string what)
    {
        if (offset < 0 || length < 0 || length > Length - offset)
            throw Bad($"{what} should be {length} bytes at byte {offset}, but the file has only {Length} bytes.");
        if (length > limit) throw Bad($"{what} is {length} bytes long; at most {limit} are accepted.");
        var block = new byte[length];
        Read(offset, block);
        return block;
    }

    public void Dispose() => _handle.Dispose();
}
