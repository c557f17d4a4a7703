using System.IO.Hashing;

namespace GenSlmOrleans.Genomics;

/// <summary>Hashes a file's bytes while somebody else reads them.</summary>
internal sealed class HashingReader(Stream inner, CancellationToken cancellation) : Stream
{
    private readonly XxHash128 _hash = new();

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => inner.Length;

    public override long Position
    {
        get => inner.Position;
        set => throw new NotSupportedException();
    }

    /// <summary>Reads what is left and returns the hash of all bytes.</summary>
    public UInt128 HashToEnd()
    {
        var buffer = new byte[1 << 20];
        while (Read(buffer) > 0)
        {
        }

        return _hash.GetCurrentHashAsUInt128();
    }

    public override int Read(Span<byte> buffer)
    {
        cancellation.ThrowIfCancellationRequested();
        int count = inner.Read(buffer);
        _hash.Append(buffer[..count]);
        return count;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
