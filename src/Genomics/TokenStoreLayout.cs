using System.Buffers.Binary;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// The head of a token store file, 104 bytes, little-endian: magic, counts, the data's hash, and the XXH3-64 of all else: what
/// follows (the tokens of all records, where each ends, where each header ends, the headers), then the head before it.
/// </summary>
internal readonly record struct TokenStoreLayout(
    int RecordCount, long TokenCount, long UnknownTokenCount, long GapCount, long UracilCount, int MaximumLength, long HeaderTextSizeBytes, UInt128 SourceHash, ulong Checksum,
    int ValidationCount = 0, int TestCount = 0)
{
    public const int SizeBytes = 104;

    /// <summary>The part of the head that the checksum covers.</summary>
    public const int CheckedSizeBytes = 96;

    // The last byte is the version of the format.
    private static ReadOnlySpan<byte> Magic => "GSLMTOK\x03"u8;

    public long FileSizeBytes => checked(HeaderTextOffset + HeaderTextSizeBytes);

    public long TokenEndsOffset => SizeBytes + Padded(TokenCount);

    public long HeaderEndsOffset => checked(TokenEndsOffset + (8L * RecordCount));

    public long HeaderTextOffset => checked(HeaderEndsOffset + (8L * RecordCount));

    /// <summary>So that the tables behind the tokens are aligned.</summary>
    public static long Padded(long sizeBytes) => (sizeBytes + 7) & ~7L;

    public void Write(Span<byte> head)
    {
        head.Clear();
        Magic.CopyTo(head);
        BinaryPrimitives.WriteInt64LittleEndian(head[8..], RecordCount);
        BinaryPrimitives.WriteInt64LittleEndian(head[16..], TokenCount);
        BinaryPrimitives.WriteInt64LittleEndian(head[24..], UnknownTokenCount);
        BinaryPrimitives.WriteInt64LittleEndian(head[32..], GapCount);
        BinaryPrimitives.WriteInt64LittleEndian(head[40..], UracilCount);
        BinaryPrimitives.WriteInt64LittleEndian(head[48..], MaximumLength);
        BinaryPrimitives.WriteInt64LittleEndian(head[56..], HeaderTextSizeBytes);
        BinaryPrimitives.WriteUInt128LittleEndian(head[64..], SourceHash);
        BinaryPrimitives.WriteInt64LittleEndian(head[80..], ValidationCount);
        BinaryPrimitives.WriteInt64LittleEndian(head[88..], TestCount);
        BinaryPrimitives.WriteUInt64LittleEndian(head[96..], Checksum);
    }

    /// <summary>Reads a head; null when it is not one, or does not fit a file of <paramref name="fileSizeBytes"/>.</summary>
    public static TokenStoreLayout? Read(ReadOnlySpan<byte> head, long fileSizeBytes)
    {
        if (head.Length < SizeBytes || !head[..8].SequenceEqual(Magic)) return null;
        long records = BinaryPrimitives.ReadInt64LittleEndian(head[8..]), tokens = BinaryPrimitives.ReadInt64LittleEndian(head[16..]);
        long maximum = BinaryPrimitives.ReadInt64LittleEndian(head[48..]), text = BinaryPrimitives.ReadInt64LittleEndian(head[56..]);
        if (records is < 1 or > int.MaxValue || tokens < 0 || tokens > fileSizeBytes || maximum is < 0 or > int.MaxValue || text < 0 || text > fileSizeBytes) return null;
        long validation = BinaryPrimitives.ReadInt64LittleEndian(head[80..]), test = BinaryPrimitives.ReadInt64LittleEndian(head[88..]);
        if (validation < 0 || test < 0 || validation > records || test > records - validation) return null;
        var layout = new TokenStoreLayout(
            (int)records,
            tokens,
            BinaryPrimitives.ReadInt64LittleEndian(head[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[40..]),
            (int)maximum,
            text,
            BinaryPrimitives.ReadUInt128LittleEndian(head[64..]),
            BinaryPrimitives.ReadUInt64LittleEndian(head[96..]),
            (int)validation,
            (int)test);
        return layout.FileSizeBytes == fileSizeBytes ? layout : null;
    }
}
