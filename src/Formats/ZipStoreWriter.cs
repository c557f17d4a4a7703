using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes a zip archive of stored entries as torch.save lays it out: content at multiples of 64 bytes, no dates, Zip64 only
/// where a number needs it. An entry's length is known when it begins; its checksum is filled in when it ends, so
/// content streams through and the target must be seekable.
/// </summary>
internal sealed class ZipStoreWriter
{
    /// <summary>Content starts at multiples of this many bytes, so that it can be mapped and used as it is.</summary>
    public const int Alignment = 64;

    private const int LocalLength = 30;
    private const int ChecksumPlace = 14;
    private const ushort Utf8Names = 0x0800;
    // 1 January 1980, the first day the format knows: the same input gives the same bytes.
    private const ushort NoDate = 0x0021;
    private const ushort Zip64Version = 45;
    private const ushort PlainVersion = 20;

    private readonly Stream _stream;
    private readonly long _start;
    private readonly List<Entry> _entries = [];
    private readonly Crc32 _checksum = new();
    private long _remaining;

    public ZipStoreWriter(Stream stream)
    {
        if (!stream.CanSeek) throw new ArgumentException("The archive's stream must be seekable.", nameof(stream));
        _stream = stream;
        _start = stream.Position;
    }

    private long Position => _stream.Position - _start;

    public void Begin(string name, long length)
    {
        var entry = new Entry(Encoding.UTF8.GetBytes(name), length, Position);
        int wide = entry.IsWide ? 20 : 0;
        // At least an empty padding field, as torch.save writes it.
        long content = Position + LocalLength + entry.Name.Length + wide + 4;
        int padding = (int)(-content & (Alignment - 1));

        var header = new byte[LocalLength + entry.Name.Length + wide + 4 + padding];
        "PK\x03\x04"u8.CopyTo(header);
        WriteCommon(header.AsSpan(4), entry, 0, wide + 4 + padding);
        entry.Name.CopyTo(header, LocalLength);
        var extra = header.AsSpan(LocalLength + entry.Name.Length);
        if (entry.IsWide) extra = WriteZip64(extra, length, length);
        "FB"u8.CopyTo(extra);
        BinaryPrimitives.WriteUInt16LittleEndian(extra[2..], (ushort)padding);
        extra[4..].Fill((byte)'Z');
        _stream.Write(header);
        _entries.Add(entry);
        _remaining = length;
    }

    public void Append(ReadOnlySpan<byte> content)
    {
        if (content.Length > _remaining) throw new InvalidOperationException($"An entry has {content.Length - _remaining} bytes too many.");
        _remaining -= content.Length;
        _checksum.Append(content);
        _stream.Write(content);
    }

    public void End()
    {
        if (_remaining != 0) throw new InvalidOperationException($"An entry lacks {_remaining} bytes.");
        var entry = _entries[^1];
        entry.Checksum = _checksum.GetCurrentHashAsUInt32();
        _checksum.Reset();
        Span<byte> checksum = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(checksum, entry.Checksum);
        long end = _stream.Position;
        _stream.Position = _start + entry.Offset + ChecksumPlace;
        _stream.Write(checksum);
        _stream.Position = end;
    }

    public void Add(string name, ReadOnlySpan<byte> content)
    {
        Begin(name, content.Length);
        Append(content);
        End();
    }

    /// <summary>Writes the central directory; the archive is complete.</summary>
    public void Finish()
    {
        long offset = Position;
        foreach (var entry in _entries) WriteCentral(entry);
        long length = Position - offset;
        if (_entries.Count >= ushort.MaxValue || length >= uint.MaxValue || offset >= uint.MaxValue) WriteZip64End(offset, length);

        Span<byte> end = stackalloc byte[22];
        end.Clear();
        "PK\x05\x06"u8.CopyTo(end);
        var count = (ushort)Math.Min(_entries.Count, ushort.MaxValue);
        BinaryPrimitives.WriteUInt16LittleEndian(end[8..], count);
        BinaryPrimitives.WriteUInt16LittleEndian(end[10..], count);
        BinaryPrimitives.WriteUInt32LittleEndian(end[12..], (uint)Math.Min(length, uint.MaxValue));
        BinaryPrimitives.WriteUInt32LittleEndian(end[16..], (uint)Math.Min(offset, uint.MaxValue));
        _stream.Write(end);
    }

    private void WriteCentral(Entry entry)
    {
        bool far = entry.Offset >= uint.MaxValue;
        int extraLength = entry.IsWide || far ? 4 + (entry.IsWide ? 16 : 0) + (far ? 8 : 0) : 0;
        var record = new byte[46 + entry.Name.Length + extraLength];
        "PK\x01\x02"u8.CopyTo(record);
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(4), entry.IsWide || far ? Zip64Version : PlainVersion);
        WriteCommon(record.AsSpan(6), entry, entry.Checksum, extraLength);
        BinaryPrimitives.WriteUInt32LittleEndian(record.AsSpan(42), (uint)Math.Min(entry.Offset, uint.MaxValue));
        entry.Name.CopyTo(record, 46);
        if (extraLength > 0)
        {
            // Lengths first, then the offset; the three numbers are cut to those that are wide.
            ReadOnlySpan<long> numbers = [entry.Length, entry.Length, entry.Offset];
            WriteZip64(record.AsSpan(46 + entry.Name.Length), numbers[(entry.IsWide ? 0 : 2)..(far ? 3 : 2)]);
        }

        _stream.Write(record);
    }

    // The fields that local and central headers share, from "version needed" on.
    private static void WriteCommon(Span<byte> fields, Entry entry, uint checksum, int extraLength)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(fields, entry.IsWide ? Zip64Version : PlainVersion);
        BinaryPrimitives.WriteUInt16LittleEndian(fields[2..], Utf8Names);
        BinaryPrimitives.WriteUInt16LittleEndian(fields[8..], NoDate);
        BinaryPrimitives.WriteUInt32LittleEndian(fields[10..], checksum);
        BinaryPrimitives.WriteUInt32LittleEndian(fields[14..], entry.IsWide ? uint.MaxValue : (uint)entry.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(fields[18..], entry.IsWide ? uint.MaxValue : (uint)entry.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(fields[22..], (ushort)entry.Name.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(fields[24..], (ushort)extraLength);
    }

    private static Span<byte> WriteZip64(Span<byte> extra, params scoped ReadOnlySpan<long> numbers)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(extra, 1);
        BinaryPrimitives.WriteUInt16LittleEndian(extra[2..], (ushort)(numbers.Length * 8));
        extra = extra[4..];
        foreach (long number in numbers)
        {
            BinaryPrimitives.WriteInt64LittleEndian(extra, number);
            extra = extra[8..];
        }

        return extra;
    }

    private void WriteZip64End(long directoryOffset, long directoryLength)
    {
        long at = Position;
        var record = new byte[56 + 20];
        "PK\x06\x06"u8.CopyTo(record);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(4), 44);
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(12), Zip64Version);
        BinaryPrimitives.WriteUInt16LittleEndian(record.AsSpan(14), Zip64Version);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(24), _entries.Count);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(32), _entries.Count);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(40), directoryLength);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(48), directoryOffset);
        var locator = record.AsSpan(56);
        "PK\x06\x07"u8.CopyTo(locator);
        BinaryPrimitives.WriteInt64LittleEndian(locator[8..], at);
        BinaryPrimitives.WriteUInt32LittleEndian(locator[16..], 1);
        _stream.Write(record);
    }

    private sealed class Entry(byte[] name, long length, long offset)
    {
        public byte[] Name { get; } = name;

        public long Length { get; } = length;

        public long Offset { get; } = offset;

        public uint Checksum { get; set; }

        /// <summary>True when the length needs 64 bits.</summary>
        public bool IsWide => Length >= uint.MaxValue;
    }
}
