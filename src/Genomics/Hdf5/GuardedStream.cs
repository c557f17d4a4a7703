using System.Runtime.CompilerServices;
using Microsoft.Win32.SafeHandles;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>
/// A file as PureHDF may read it, which trusts what it reads: no read beyond the end is begun, structures that lead in circles use up
/// an allowance, and recursion ends before the stack does. Small reads are served from a page.
/// </summary>
/// <exception cref="InvalidDataException">Thrown by reading: the allowance is used up.</exception>
/// <exception cref="EndOfStreamException">Thrown by reading: more is asked for than there is.</exception>
internal sealed class GuardedStream : Stream
{
    // An index may be read again for every chunk, and is then much larger than the chunks; what goes in circles is larger still.
    private const int ReadsOfTheFile = 256;
    private const long ReadsOfAnyFile = 1 << 24;
    private const int PageSizeBytes = 1 << 14;

    // What a small read costs besides its bytes.
    private const int CallCost = 8;

    private readonly SafeFileHandle _file;
    private readonly byte[] _page = new byte[PageSizeBytes];
    private readonly CancellationToken _ct;
    private long _pageStart = -1;
    private int _pageLength;
    private long _allowance;

    /// <exception cref="FastaException">The file is missing or may not be read.</exception>
    public GuardedStream(string path, CancellationToken ct)
    {
        using (var stream = FastaReader.Open(path, DataFile.Expected)) Length = stream.Length;
        _file = File.OpenHandle(path);
        _ct = ct;
        _allowance = ReadsOfAnyFile + (ReadsOfTheFile * Length);
    }

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length { get; }

    public override long Position { get; set; }

    public override int Read(Span<byte> buffer)
    {
        RuntimeHelpers.EnsureSufficientExecutionStack();
        _ct.ThrowIfCancellationRequested();
        if (Position < 0 || Position > Length - buffer.Length) throw new EndOfStreamException($"it refers to byte {Position + buffer.Length}, but has {Length}");
        if ((_allowance -= CallCost + buffer.Length) < 0) throw new InvalidDataException("its structure leads in circles");
        if (buffer.Length > PageSizeBytes / 2) ReadExactly(Position, buffer);
        else ReadFromPage(buffer);
        Position += buffer.Length;
        return buffer.Length;
    }

    private void ReadFromPage(Span<byte> buffer)
    {
        if (_pageStart < 0 || Position < _pageStart || Position + buffer.Length > _pageStart + _pageLength)
        {
            _pageLength = (int)Math.Min(PageSizeBytes, Length - Position);
            _pageStart = -1;
            ReadExactly(Position, _page.AsSpan(0, _pageLength));
            _pageStart = Position;
        }

        _page.AsSpan((int)(Position - _pageStart), buffer.Length).CopyTo(buffer);
    }

    private void ReadExactly(long offset, Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int count = RandomAccess.Read(_file, buffer, offset);
            if (count == 0) throw new EndOfStreamException("it has become shorter");
            buffer = buffer[count..];
            offset += count;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => Position + offset,
        _ => Length + offset,
    };

    protected override void Dispose(bool disposing)
    {
        if (disposing) _file.Dispose();
        base.Dispose(disposing);
    }

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
