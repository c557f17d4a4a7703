namespace GenSlmOrleans.Formats;

/// <summary>
/// The bytes of a pickle, read from its file as they are asked for: a window of 64 KiB moves along, so that neither the
/// pickle's length nor the lengths it states cost memory.
/// </summary>
internal sealed class PickleSource(ContentFile file, long offset, long length)
{
    /// <summary>The longest pickle that is read, in bytes; the weights themselves are not in it.</summary>
    public const int LongestPickle = 64 << 20;

    /// <summary>The most bytes that can be had at once.</summary>
    public const int LongestPiece = 1 << 20;

    private const int WindowLength = 1 << 16;

    private byte[] _window = [];
    private int _start;
    private int _end;

    /// <summary>The file the pickle is in.</summary>
    public string Path => file.Path;

    /// <summary>Bytes that the pickle may have.</summary>
    public long Length { get; } = length;

    /// <summary>Bytes that were taken or skipped.</summary>
    public long Position { get; private set; }

    /// <summary>The next bytes, valid until the next call.</summary>
    /// <exception cref="WeightFileException">There are not that many.</exception>
    public ReadOnlySpan<byte> Take(int count)
    {
        CheckAvailable((ulong)count);
        if (_end - _start < count) Fill(count);
        var piece = _window.AsSpan(_start, count);
        _start += count;
        Position += count;
        return piece;
    }

    /// <summary>Passes over bytes without reading them.</summary>
    /// <exception cref="WeightFileException">There are not that many.</exception>
    public void Skip(ulong count)
    {
        CheckAvailable(count);
        Position += (long)count;
        _start = (int)Math.Min(_start + (long)count, _end);
    }

    /// <exception cref="WeightFileException">The pickle has fewer bytes left.</exception>
    public void CheckAvailable(ulong count)
    {
        if (count > (ulong)(Length - Position)) throw Bad("ends too early");
        if (Position + (long)count > LongestPickle) throw Bad($"is longer than {LongestPickle} bytes");
    }

    /// <summary>An error whose message says where in the pickle it was found.</summary>
    public WeightFileException Bad(string what) => file.Bad($"the pickle {what} (byte {Position} of {Length}).");

    private void Fill(int count)
    {
        var window = _window.Length >= count ? _window : new byte[Math.Max(count, WindowLength)];
        _window.AsSpan(_start, _end - _start).CopyTo(window);
        _end -= _start;
        _start = 0;
        _window = window;
        int more = (int)Math.Min(window.Length - _end, Length - Position - _end);
        file.Read(offset + Position + _end, window.AsSpan(_end, more));
        _end += more;
    }
}
