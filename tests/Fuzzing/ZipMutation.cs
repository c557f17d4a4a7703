using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace GenSlmOrleans.Fuzzing;

/// <summary>
/// Archives as PyTorch writes them, made around damaged entries with sound checksums, so that the damage reaches what reads
/// the entry; and archives whose own records are damaged.
/// </summary>
public static class ZipMutation
{
    private const int LocalLength = 30;
    private const int CentralLength = 46;

    // Where the numbers of a record are: of a local header, a directory's entry, the end, the Zip64 end and its locator.
    private static readonly (byte[] Signature, (int At, int Size)[] Fields)[] s_records =
    [
        ([.. "PK\x03\x04"u8], [(4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2)]),
        ([.. "PK\x01\x02"u8], [(8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (34, 2), (42, 4)]),
        ([.. "PK\x05\x06"u8], [(4, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)]),
        ([.. "PK\x06\x06"u8], [(4, 8), (24, 8), (32, 8), (40, 8), (48, 8)]),
        ([.. "PK\x06\x07"u8], [(4, 4), (8, 8), (16, 4)]),
    ];

    /// <summary>An archive of stored entries; with Zip64 records at its end as PyTorch always writes them, if asked for.</summary>
    public static byte[] Write(IReadOnlyCollection<(string Name, byte[] Content)> entries, bool zip64)
    {
        var archive = new MemoryStream();
        var directory = new MemoryStream();
        foreach (var (name, content) in entries)
        {
            var nameBytes = Encoding.UTF8.GetBytes(name);
            var central = new byte[CentralLength];
            "PK\x01\x02"u8.CopyTo(central);
            BinaryPrimitives.WriteUInt32LittleEndian(central.AsSpan(16), Crc32.HashToUInt32(content));
            BinaryPrimitives.WriteInt32LittleEndian(central.AsSpan(20), content.Length);
            BinaryPrimitives.WriteInt32LittleEndian(central.AsSpan(24), content.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(central.AsSpan(28), (ushort)nameBytes.Length);
            BinaryPrimitives.WriteUInt32LittleEndian(central.AsSpan(42), (uint)archive.Length);
            directory.Write(central);
            directory.Write(nameBytes);

            var local = new byte[LocalLength];
            "PK\x03\x04"u8.CopyTo(local);
            central.AsSpan(6, 24).CopyTo(local.AsSpan(4));
            archive.Write(local);
            archive.Write(nameBytes);
            archive.Write(content);
        }

        long offset = archive.Length;
        directory.WriteTo(archive);
        if (zip64) WriteZip64End(archive, offset, entries.Count);
        var end = new byte[22];
        "PK\x05\x06"u8.CopyTo(end);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), (ushort)entries.Count);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), (ushort)entries.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(12), (uint)directory.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(16), (uint)offset);
        archive.Write(end);
        return archive.ToArray();
    }

    /// <summary>A number in one of the archive's records becomes another.</summary>
    public static byte[] MutateRecord(Random random, ReadOnlySpan<byte> archive)
    {
        var bytes = archive.ToArray();
        var places = new List<(int At, int Size)>();
        foreach (var (signature, fields) in s_records)
        {
            for (int at = 0, found; (found = bytes.AsSpan(at).IndexOf(signature)) >= 0; at += found + signature.Length)
            {
                foreach (var field in fields)
                    if (at + found + field.At + field.Size <= bytes.Length) places.Add((at + found + field.At, field.Size));
            }
        }

        for (int changes = random.Next(1, 4); changes > 0 && places.Count > 0; changes--)
        {
            var (at, size) = places[random.Next(places.Count)];
            var number = new byte[8];
            bytes.AsSpan(at, size).CopyTo(number);
            ulong near = random.Next(3) == 0 ? (ulong)bytes.Length : BinaryPrimitives.ReadUInt64LittleEndian(number);
            BinaryPrimitives.WriteUInt64LittleEndian(number, ByteMutation.Boundary(random, near));
            number.AsSpan(0, size).CopyTo(bytes.AsSpan(at));
        }

        return bytes;
    }

    private static void WriteZip64End(MemoryStream archive, long offset, int count)
    {
        var records = new byte[56 + 20];
        "PK\x06\x06"u8.CopyTo(records);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(4), 44);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(24), count);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(32), count);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(40), archive.Length - offset);
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(48), offset);
        "PK\x06\x07"u8.CopyTo(records.AsSpan(56));
        BinaryPrimitives.WriteInt64LittleEndian(records.AsSpan(64), archive.Length);
        records[72] = 1;
        archive.Write(records);
    }
}
