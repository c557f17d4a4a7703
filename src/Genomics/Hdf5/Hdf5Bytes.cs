using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>
/// The bytes of an HDF5 file: nothing beyond its end is read or allocated for, and structures that lead in circles use up an
/// allowance, since a sound file's structure is no larger than the file.
/// </summary>
/// <exception cref="InvalidDataException">Thrown by reading: more is asked for than there is, or too often.</exception>
internal sealed class Hdf5Bytes : IDisposable
{
    private const int ReadsOfTheFile = 4;
    private const long ReadsOfAnyFile = 1 << 20;

    private readonly SafeFileHandle _file;
    private readonly CancellationToken _ct;
    private long _allowance;

    /// <exception cref="FastaException">The file is missing or may not be read.</exception>
    public Hdf5Bytes(string path, CancellationToken ct)
    {
        using (FastaReader.Open(path, DataFile.Expected)) _file = File.OpenHandle(path);
        Length = RandomAccess.GetLength(_file);
        _ct = ct;
        _allowance = ReadsOfAnyFile + (ReadsOfTheFile * Length);
    }

    public long Length { get; }

    /// <summary>Reads a piece of the file's structure.</summary>
    public byte[] Structure(ulong address, long size)
    {
        Check(address, size);
        if ((_allowance -= size) < 0) throw new InvalidDataException("its structure leads in circles");
        var bytes = new byte[size];
        Fill(address, bytes);
        return bytes;
    }

    /// <summary>Reads data.</summary>
    public void Read(ulong address, Span<byte> destination)
    {
        Check(address, destination.Length);
        Fill(address, destination);
    }

    /// <summary>Throws unless the file has these bytes.</summary>
    public void Check(ulong address, long size)
    {
        if (size < 0 || size > Length || address > (ulong)(Length - size)) throw new InvalidDataException($"it refers to {size} bytes at {address}, but has {Length} bytes in all");
    }

    private void Fill(ulong address, Span<byte> destination)
    {
        _ct.ThrowIfCancellationRequested();
        long offset = (long)address;
        while (!destination.IsEmpty)
        {
            int count = RandomAccess.Read(_file, destination, offset);
            if (count == 0) throw new InvalidDataException("it has become shorter while it was read");
            destination = destination[count..];
            offset += count;
        }
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>Reads numbers one after another, little-endian.</summary>
internal ref struct Hdf5Cursor(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> _rest = bytes;

    public readonly int Left => _rest.Length;

    public byte U8() => Take(1)[0];

    public ushort U16() => BinaryPrimitives.ReadUInt16LittleEndian(Take(2));

    public uint U32() => BinaryPrimitives.ReadUInt32LittleEndian(Take(4));

    public ulong U64() => BinaryPrimitives.ReadUInt64LittleEndian(Take(8));

    /// <summary>A number of 1 to 8 bytes.</summary>
    public ulong Unsigned(int size)
    {
        if (size is < 1 or > 8) throw new InvalidDataException($"it has a number of {size} bytes");
        ulong value = 0;
        var digits = Take(size);
        for (int i = size - 1; i >= 0; i--) value = (value << 8) | digits[i];
        return value;
    }

    /// <summary>Four letters that must be there.</summary>
    public void Expect(ReadOnlySpan<byte> signature)
    {
        if (!Take(signature.Length).SequenceEqual(signature)) throw new InvalidDataException($"'{System.Text.Encoding.ASCII.GetString(signature)}' is missing where it should stand");
    }

    public void Skip(int count) => Take(count);

    public ReadOnlySpan<byte> Take(int count)
    {
        if (count < 0 || count > _rest.Length) throw new InvalidDataException("a part of its structure is cut off");
        var taken = _rest[..count];
        _rest = _rest[count..];
        return taken;
    }
}
