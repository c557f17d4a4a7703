using System.IO.Compression;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>What chunks went through when they were written: shuffle, gzip (deflate) and Fletcher's checksum, in the order of writing.</summary>
internal sealed class Hdf5Filters
{
    private const int Deflate = 1;
    private const int Shuffle = 2;
    private const int Fletcher32 = 3;
    private const int ChecksumSizeBytes = 4;

    private readonly List<(int Kind, int Parameter)> _filters = [];

    /// <summary>No filters.</summary>
    public static Hdf5Filters None { get; } = new();

    public bool Any => _filters.Count > 0;

    /// <summary>Takes a filter message apart.</summary>
    /// <exception cref="InvalidDataException">A filter is of another kind; the message names it.</exception>
    public static Hdf5Filters Parse(ReadOnlySpan<byte> content, string dataset)
    {
        var cursor = new Hdf5Cursor(content);
        byte version = cursor.U8(), count = cursor.U8();
        if (version is not (1 or 2)) throw new InvalidDataException($"{dataset} has filters of version {version}; expected 1 or 2");
        if (version == 1) cursor.Skip(6);
        var filters = new Hdf5Filters();
        for (int i = 0; i < count; i++)
        {
            int kind = cursor.U16();
            int nameLength = version == 1 || kind >= 256 ? cursor.U16() : 0;
            cursor.Skip(2);
            int values = cursor.U16();
            cursor.Skip(nameLength);
            int parameter = values > 0 ? (int)Math.Min(cursor.U32(), int.MaxValue) : 0;
            if (values > 0) cursor.Skip(4 * (values - 1));
            if (version == 1 && values % 2 != 0) cursor.Skip(4);
            if (kind is not (Deflate or Shuffle or Fletcher32) || filters._filters.Any(known => known.Kind == kind))
                throw new InvalidDataException($"{dataset} is packed by filter {kind}; gzip (1), shuffle (2) and fletcher32 (3) can be read, each once");
            filters._filters.Add((kind, parameter));
        }

        return filters;
    }

    /// <summary>Undoes the filters, the last one first.</summary>
    /// <param name="stored">The chunk as it is stored.</param>
    /// <param name="skipped">A bit for each filter that the chunk did not go through.</param>
    /// <param name="sizeBytes">What the chunk must come to.</param>
    /// <exception cref="InvalidDataException">It comes to another size, or its checksum does not match.</exception>
    public byte[] Undo(byte[] stored, uint skipped, int sizeBytes)
    {
        var chunk = stored;
        for (int i = _filters.Count - 1; i >= 0; i--)
        {
            if ((skipped & (1u << i)) != 0) continue;
            chunk = _filters[i].Kind switch
            {
                Deflate => Inflate(chunk, sizeBytes),
                Shuffle => Unshuffle(chunk, _filters[i].Parameter),
                _ => CheckSum(chunk),
            };
        }

        return chunk.Length == sizeBytes ? chunk : throw new InvalidDataException($"a chunk of {sizeBytes} bytes unpacks to {chunk.Length}");
    }

    private static byte[] Inflate(byte[] packed, int sizeBytes)
    {
        // A checksum may have been added before; one byte too many shows what is too long.
        var unpacked = new byte[sizeBytes + ChecksumSizeBytes + 1];
        using var stream = new MemoryStream(packed, writable: false);
        using var zlib = new ZLibStream(stream, CompressionMode.Decompress);
        int size;
        try
        {
            size = zlib.ReadAtLeast(unpacked, unpacked.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException exception)
        {
            // .NET speaks of archives here.
            throw new InvalidDataException("the gzip data of a chunk are damaged", exception);
        }

        if (size == unpacked.Length) throw new InvalidDataException($"a chunk of {sizeBytes} bytes unpacks to more");
        return unpacked[..size];
    }

    /// <summary>Shuffled are first bytes of all elements, then all second bytes…; what is left over of a last element comes last as it is.</summary>
    private static byte[] Unshuffle(byte[] shuffled, int width)
    {
        if (width is < 1 or > sizeof(long)) throw new InvalidDataException($"its shuffle filter is for elements of {width} bytes; expected 1 to 8");
        int count = shuffled.Length / width;
        var elements = new byte[shuffled.Length];
        for (int place = 0; place < width; place++)
        {
            var bytes = shuffled.AsSpan(place * count, count);
            for (int i = 0; i < bytes.Length; i++) elements[(i * width) + place] = bytes[i];
        }

        shuffled.AsSpan(width * count).CopyTo(elements.AsSpan(width * count));
        return elements;
    }

    /// <summary>Fletcher's checksum of 32 bits, over numbers of 16 bits, the higher byte first, as HDF5 computes it; it is stored little-endian.</summary>
    private static byte[] CheckSum(byte[] chunk)
    {
        if (chunk.Length < ChecksumSizeBytes) throw new InvalidDataException("a chunk is too short for its checksum");
        var content = chunk.AsSpan(..^ChecksumSizeBytes);
        uint first = 0, second = 0;
        for (int i = 0; i < content.Length; i += 2)
        {
            first = (first + (uint)(content[i] << 8) + (i + 1 < content.Length ? content[i + 1] : 0u)) % ushort.MaxValue;
            second = (second + first) % ushort.MaxValue;
        }

        uint stored = BitConverter.ToUInt32(chunk.AsSpan(^ChecksumSizeBytes..));
        // 0 and 65,535 are the same number here.
        bool matches = stored % 65536 % ushort.MaxValue == first && (stored >> 16) % ushort.MaxValue == second;
        return matches ? content.ToArray() : throw new InvalidDataException("a checksum does not match");
    }
}
