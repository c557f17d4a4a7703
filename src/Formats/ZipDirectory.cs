using System.Buffers.Binary;
using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>One stored entry of an archive.</summary>
/// <param name="Name">The full name, folders included.</param>
/// <param name="Length">Bytes of content.</param>
/// <param name="Checksum">The CRC-32 that the archive states.</param>
/// <param name="HeaderOffset">Where its local header begins in the file.</param>
internal sealed record ZipEntry(string Name, long Length, uint Checksum, long HeaderOffset);

/// <summary>
/// The central directory of a zip archive, as far as torch.save uses zip: stored entries, one disk, Zip64 where needed.
/// Everything else is refused, and every offset is checked before it is used.
/// </summary>
internal sealed class ZipDirectory
{
    private const int EndLength = 22;
    private const int LongestComment = ushort.MaxValue;
    private const int Zip64LocatorLength = 20;
    private const int Zip64EndLength = 56;
    private const int CentralLength = 46;
    private const int LocalLength = 30;
    private const long LongestDirectory = 32 << 20;
    private const long MostEntries = 200_000;

    private readonly ContentFile _file;
    private readonly long _directoryOffset;
    private readonly Dictionary<string, ZipEntry> _entries = new(StringComparer.Ordinal);

    private ZipDirectory(ContentFile file, long directoryOffset)
    {
        _file = file;
        _directoryOffset = directoryOffset;
    }

    public IReadOnlyCollection<ZipEntry> Entries => _entries.Values;

    public static ZipDirectory Read(ContentFile file)
    {
        var (offset, length, count) = FindDirectory(file);
        if (count > MostEntries) throw file.Bad($"the archive has {count} entries; at most {MostEntries} are accepted.");
        var directory = new ZipDirectory(file, offset);
        directory.ReadEntries(file.ReadBlock(offset, length, LongestDirectory, "the archive's directory"), count);
        return directory;
    }

    public ZipEntry? Find(string name) => _entries.GetValueOrDefault(name);

    /// <summary>Where the content of an entry begins in the file, after a check of its local header.</summary>
    public long DataOffset(ZipEntry entry)
    {
        Span<byte> header = stackalloc byte[LocalLength];
        if (entry.HeaderOffset > _directoryOffset - LocalLength) throw Misplaced(entry);
        _file.Read(entry.HeaderOffset, header);
        int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(header[26..]);
        long offset = entry.HeaderOffset + LocalLength + nameLength + BinaryPrimitives.ReadUInt16LittleEndian(header[28..]);
        if (!header.StartsWith("PK\x03\x04"u8) || entry.Length > _directoryOffset - offset) throw Misplaced(entry);

        var name = _file.ReadBlock(entry.HeaderOffset + LocalLength, nameLength, ushort.MaxValue, "an entry's name");
        if (Encoding.UTF8.GetString(name) != entry.Name || BinaryPrimitives.ReadUInt16LittleEndian(header[8..]) != 0)
            throw _file.Bad($"the archive's entry {MessageText.Quote(entry.Name)} and its local header disagree.");
        return offset;
    }

    private static (long Offset, long Length, long Count) FindDirectory(ContentFile file)
    {
        int tailLength = (int)Math.Min(file.Length, EndLength + LongestComment);
        var tail = file.ReadBlock(file.Length - tailLength, tailLength, tailLength, "the archive's end");
        int at = tailLength - EndLength;
        while (at >= 0 && !(tail.AsSpan(at).StartsWith("PK\x05\x06"u8)
            && BinaryPrimitives.ReadUInt16LittleEndian(tail.AsSpan(at + 20)) == tailLength - at - EndLength))
        {
            at--;
        }

        if (at < 0) throw file.Bad("the file starts like a PyTorch archive but lacks a zip archive's end; it is probably incomplete.");
        var end = tail.AsSpan(at, EndLength);
        long endOffset = file.Length - tailLength + at;
        if (BinaryPrimitives.ReadUInt32LittleEndian(end[4..]) != 0) throw file.Bad("the archive is spread over several disks; one file is expected.");
        ulong count = BinaryPrimitives.ReadUInt16LittleEndian(end[10..]);
        ulong length = BinaryPrimitives.ReadUInt32LittleEndian(end[12..]), offset = BinaryPrimitives.ReadUInt32LittleEndian(end[16..]);

        if (endOffset >= Zip64LocatorLength)
        {
            var locator = file.ReadBlock(endOffset - Zip64LocatorLength, Zip64LocatorLength, Zip64LocatorLength, "the Zip64 locator");
            if (locator.AsSpan().StartsWith("PK\x06\x07"u8))
            {
                endOffset = (long)Math.Min(BinaryPrimitives.ReadUInt64LittleEndian(locator.AsSpan(8)), long.MaxValue);
                var record = file.ReadBlock(endOffset, Zip64EndLength, Zip64EndLength, "the Zip64 end record");
                if (!record.AsSpan().StartsWith("PK\x06\x06"u8)) throw file.Bad("the archive's Zip64 end record is not where its locator says.");
                count = BinaryPrimitives.ReadUInt64LittleEndian(record.AsSpan(32));
                length = BinaryPrimitives.ReadUInt64LittleEndian(record.AsSpan(40));
                offset = BinaryPrimitives.ReadUInt64LittleEndian(record.AsSpan(48));
            }
        }

        // The directory ends where the end record begins; a count that its bytes cannot hold is not believed.
        if (offset > (ulong)endOffset || length != (ulong)endOffset - offset || count > length / CentralLength)
            throw file.Bad($"the archive's directory should be {length} bytes with {count} entries at byte {offset}, which does not fit the file.");
        return ((long)offset, (long)length, (long)count);
    }

    private void ReadEntries(ReadOnlySpan<byte> directory, long count)
    {
        for (long i = 0; i < count; i++)
        {
            if (directory.Length < CentralLength || !directory.StartsWith("PK\x01\x02"u8))
                throw _file.Bad($"the archive's directory is damaged at entry {i} of {count}.");
            int nameLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[28..]);
            int extraLength = BinaryPrimitives.ReadUInt16LittleEndian(directory[30..]);
            int length = CentralLength + nameLength + extraLength + BinaryPrimitives.ReadUInt16LittleEndian(directory[32..]);
            if (length > directory.Length) throw _file.Bad($"the archive's directory ends within entry {i} of {count}.");

            var name = Encoding.UTF8.GetString(directory.Slice(CentralLength, nameLength));
            var entry = ReadEntry(name, directory[..CentralLength], directory.Slice(CentralLength + nameLength, extraLength));
            if (!_entries.TryAdd(name, entry)) throw _file.Bad($"the archive has the entry {MessageText.Quote(name)} twice.");
            directory = directory[length..];
        }

        if (!directory.IsEmpty) throw _file.Bad($"the archive's directory has {directory.Length} bytes after its {count} entries.");
    }

    private ZipEntry ReadEntry(string name, ReadOnlySpan<byte> record, ReadOnlySpan<byte> extra)
    {
        int flags = BinaryPrimitives.ReadUInt16LittleEndian(record[8..]), method = BinaryPrimitives.ReadUInt16LittleEndian(record[10..]);
        if (method != 0 || (flags & 1) != 0)
        {
            throw _file.Bad($"the archive's entry {MessageText.Quote(name)} is {(method != 0 ? $"compressed (method {method})" : "encrypted")}; " +
                "torch.save stores its entries as they are, and only these are read.");
        }

        ulong stored = BinaryPrimitives.ReadUInt32LittleEndian(record[20..]), length = BinaryPrimitives.ReadUInt32LittleEndian(record[24..]);
        ulong offset = BinaryPrimitives.ReadUInt32LittleEndian(record[42..]);
        var wide = Zip64Field(extra);
        length = Widen(length, ref wide, name);
        stored = Widen(stored, ref wide, name);
        offset = Widen(offset, ref wide, name);
        var entry = new ZipEntry(name, (long)length, BinaryPrimitives.ReadUInt32LittleEndian(record[16..]), (long)offset);
        return length == stored && length <= (ulong)_directoryOffset && offset <= (ulong)_directoryOffset ? entry : throw Misplaced(entry);
    }

    // A field of all ones stands for the next 64-bit number of the Zip64 extra field.
    private ulong Widen(ulong value, ref ReadOnlySpan<byte> wide, string name)
    {
        if (value != uint.MaxValue) return value;
        if (wide.Length < 8) throw _file.Bad($"the archive's entry {MessageText.Quote(name)} lacks its Zip64 sizes.");
        value = BinaryPrimitives.ReadUInt64LittleEndian(wide);
        wide = wide[8..];
        return value;
    }

    private static ReadOnlySpan<byte> Zip64Field(ReadOnlySpan<byte> extra)
    {
        while (extra.Length >= 4)
        {
            int id = BinaryPrimitives.ReadUInt16LittleEndian(extra), length = BinaryPrimitives.ReadUInt16LittleEndian(extra[2..]);
            if (length > extra.Length - 4) break;
            if (id == 1) return extra.Slice(4, length);
            extra = extra[(4 + length)..];
        }

        return default;
    }

    private WeightFileException Misplaced(ZipEntry entry) =>
        _file.Bad($"the archive's entry {MessageText.Quote(entry.Name)} ({entry.Length} bytes, at byte {entry.HeaderOffset}) does not fit the file.");
}
