using System.Globalization;
using System.IO.Hashing;

namespace GenSlmOrleans.Formats;

/// <summary>Passes what is written on to another stream and hashes it on the way (XXH3, 64 bits). The other stream stays open.</summary>
public sealed class HashingStream(Stream inner) : Stream
{
    private readonly XxHash3 _hash = new();
    private long _length;

    /// <summary>The hash of everything written so far.</summary>
    public ulong Hash => _hash.GetCurrentHashAsUInt64();

    /// <summary><see cref="Hash"/> as 16 lower-case hexadecimal digits, as manifests have it.</summary>
    public string HashText => Xxh3.TextOf(Hash);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    /// <summary>Bytes written so far.</summary>
    public override long Length => _length;

    public override long Position
    {
        get => _length;
        set => throw new NotSupportedException("A hashed stream is written from its start to its end.");
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        inner.Write(buffer);
        _hash.Append(buffer);
        _length += buffer.Length;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush() => inner.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("A hashed stream is only written.");

    public override long Seek(long offset, SeekOrigin origin) =>
        throw new NotSupportedException("A hashed stream is written from its start to its end.");

    public override void SetLength(long value) => throw new NotSupportedException("A hashed stream is written from its start to its end.");
}

/// <summary>XXH3 of 64 bits, by which manifests know the content of files; fast, and no protection against intent.</summary>
public static class Xxh3
{
    /// <summary>The hash of a whole file.</summary>
    /// <exception cref="WeightFileException">The file is missing, or is cut short while it is read.</exception>
    public static ulong OfFile(string path)
    {
        using var file = ContentFile.Open(path);
        var hash = new XxHash3();
        var buffer = new byte[1 << 20];
        for (long done = 0; done < file.Length;)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, file.Length - done));
            file.Read(done, part);
            hash.Append(part);
            done += part.Length;
        }

        return hash.GetCurrentHashAsUInt64();
    }

    /// <summary>A hash as 16 lower-case hexadecimal digits.</summary>
    public static string TextOf(ulong hash) => hash.ToString("x16", CultureInfo.InvariantCulture);
}
