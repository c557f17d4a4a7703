using System.Buffers.Binary;
using System.IO.Hashing;
using ICSharpCode.SharpZipLib.Zip.Compression;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// What a gzip file holds, all its members one after another (RFC 1952), each checked against its own checksum and size.
/// Written out because the ready-made streams lose data without a word: .NET's takes a file that was cut off for one that
/// ended, SharpZipLib's takes a member with a damaged head for the end. The inner stream stays open.
/// </summary>
/// <exception cref="EndOfStreamException">Thrown by reading: the file ends within a member.</exception>
/// <exception cref="InvalidDataException">Thrown by reading: a member is damaged, or something else follows the last one.</exception>
internal sealed class GzipMembers(Stream inner) : Stream
{
    private const int BufferSizeBytes = 1 << 18;
    private readonly byte[] _input = new byte[BufferSizeBytes];
    private readonly Inflater _inflater = new(noHeader: true);
    private readonly Crc32 _checksum = new();
    private int _place;
    private int _count;
    private uint _sizeBytes;
    private bool _inMember;
    private bool _anyMember;

    [Flags]
    private enum HeadFlags
    {
        None = 0,
        HeadChecksum = 2,
        Extra = 4,
        Name = 8,
        Comment = 16,
        Reserved = 0xe0,
    }

    /// <summary>Bytes taken from the inner stream.</summary>
    public long PackedSizeBytes { get; private set; }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        while (_inMember || BeginMember())
        {
            int taken = Inflate(buffer, offset, count);
            _checksum.Append(buffer.AsSpan(offset, taken));
            _sizeBytes += (uint)taken;
            if (_inflater.IsFinished) EndMember();
            if (taken > 0) return taken;
        }

        return 0;
    }

    private int Inflate(byte[] buffer, int offset, int count)
    {
        while (true)
        {
            int taken = _inflater.Inflate(buffer, offset, count);
            if (taken > 0 || _inflater.IsFinished) return taken;
            if (!_inflater.IsNeedingInput) throw new InvalidDataException("the compressed data make no sense");
            if (!Fill()) throw new EndOfStreamException("it ends within the compressed data");
            _inflater.SetInput(_input, 0, _count);
        }
    }

    /// <summary>Takes a member's head; false at the end of the file.</summary>
    private bool BeginMember()
    {
        if (_place == _count && !Fill()) return false;
        if (_anyMember && _input[_place] == 0) return SkipZeros();
        if (Next() != 0x1f || Next() != 0x8b) throw new InvalidDataException("what follows is not a gzip member");
        if (Next() != 8) throw new InvalidDataException("a member is not compressed by deflate");
        var flags = (HeadFlags)Next();
        if ((flags & HeadFlags.Reserved) != HeadFlags.None) throw new InvalidDataException("a member's head has unknown flags");
        // Time, kind of compression, operating system.
        Skip(6);
        if (flags.HasFlag(HeadFlags.Extra)) Skip(Next() | (Next() << 8));
        if (flags.HasFlag(HeadFlags.Name)) SkipText();
        if (flags.HasFlag(HeadFlags.Comment)) SkipText();
        if (flags.HasFlag(HeadFlags.HeadChecksum)) Skip(2);
        _inflater.Reset();
        _inflater.SetInput(_input, _place, _count - _place);
        _place = _count;
        _sizeBytes = 0;
        return _inMember = _anyMember = true;
    }

    private void EndMember()
    {
        _place = _count - _inflater.RemainingInput;
        _inMember = false;
        Span<byte> trailer = stackalloc byte[8];
        foreach (ref byte value in trailer) value = Next();
        if (_checksum.GetCurrentHashAsUInt32() != BinaryPrimitives.ReadUInt32LittleEndian(trailer)) throw new InvalidDataException("a checksum does not match");
        if (_sizeBytes != BinaryPrimitives.ReadUInt32LittleEndian(trailer[4..])) throw new InvalidDataException("a size does not match");
        _checksum.Reset();
    }

    /// <summary>Zeros up to the end of the file are padding, as tapes leave it.</summary>
    private bool SkipZeros()
    {
        do
        {
            if (_input.AsSpan(_place.._count).ContainsAnyExcept((byte)0)) throw new InvalidDataException("what follows is not a gzip member");
        }
        while (Fill());
        _place = _count;
        return false;
    }

    private void SkipText()
    {
        while (Next() != 0)
        {
        }
    }

    private void Skip(int sizeBytes)
    {
        for (int i = 0; i < sizeBytes; i++) Next();
    }

    private byte Next()
    {
        if (_place == _count && !Fill()) throw new EndOfStreamException("it ends within a member's head or trailer");
        return _input[_place++];
    }

    private bool Fill()
    {
        _place = 0;
        _count = inner.Read(_input, 0, _input.Length);
        PackedSizeBytes += _count;
        return _count > 0;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
