using System.Buffers.Binary;
using System.Collections.Immutable;
using System.IO.Compression;
using System.Runtime.InteropServices;
using GenSlmOrleans.Genomics;
using PureHDF;
using PureHDF.Filters;
using PureHDF.VOL.Native;

namespace GenSlmOrleans.Fuzzing;

/// <summary>
/// GenSLM's HDF5 files as h5py writes them: bytes, numbers of the structure (sizes, dimensions, addresses) one by one and all that
/// are equal, and the content of chunks, packed again so that the damage is behind a sound checksum.
/// </summary>
public sealed class Hdf5Target : SequenceTarget
{
    private const int StructureSizeBytes = 4096;

    private static readonly string[] s_names = ["genslm.h5", "latest.h5", "paged.h5", "plain.h5", "resizable.h5", "shuffled.h5", "unlimited.h5", "virtual.h5", "linked.h5"];
    private readonly ImmutableArray<byte[]> _seeds = [.. s_names.Select(Load)];

    /// <inheritdoc/>
    public override string Name => "hdf5";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
    [
        ("rows of chunks as wide as they may be", () => Uniform(rows: 64, columns: 1 << 18, chunkRows: 64, chunkColumns: 1 << 14)),
        ("a row of a million numbers", () => Uniform(rows: 8, columns: 1 << 20, chunkRows: 1, chunkColumns: 1 << 20)),
        ("chunks of one number", () => Uniform(rows: 256, columns: 256, chunkRows: 1, chunkColumns: 1)),
        ("50 million tokens in a small file", () => Uniform(rows: 25_000, columns: 2048, chunkRows: 64, chunkColumns: 2048)),
    ];

    /// <inheritdoc/>
    public override FuzzInput Create(Random random)
    {
        // The last three are refused as they are; they need to be damaged less often.
        var seed = _seeds[random.Next(random.Next(8) == 0 ? _seeds.Length : _seeds.Length - 3)];
        return new FuzzInput("damaged.h5", random.Next(20) switch
        {
            < 5 => ByteMutation.Mutate(random, seed),
            < 9 => [.. ByteMutation.Mutate(random, seed.AsSpan(0, Math.Min(seed.Length, StructureSizeBytes))), .. seed.AsSpan(Math.Min(seed.Length, StructureSizeBytes))],
            < 13 => MutateNumber(random, seed),
            < 17 => MutateChunk(random, seed),
            < 19 => CopyStructure(random, seed),
            _ => ByteMutation.Splice(random, seed, _seeds[random.Next(_seeds.Length)]),
        });
    }

    /// <inheritdoc/>
    protected override void CheckStore(TokenStore store, FuzzInput input, string path)
    {
        // Built again, from the first byte on, it is the same.
        var tokens = Enumerable.Range(0, store.RecordCount).SelectMany(record => store.Tokens(record).ToArray()).ToArray();
        CleanUp(Path.GetDirectoryName(path)!);
        using var again = TokenStoreBuilder.OpenOrBuild(path, CacheOf(path));
        FuzzFindingException.ThrowUnless(
            Enumerable.Range(0, again.RecordCount).SelectMany(record => again.Tokens(record).ToArray()).SequenceEqual(tokens), "The tokens read again are others.");
        // Each token was a number of the file, which deflate makes smaller by a thousand at most.
        FuzzFindingException.ThrowUnless(store.TokenCount <= input.SizeBytes * 1100, $"The file of {input.SizeBytes} bytes has {store.TokenCount} tokens.");
    }

    // Both datasets have the same dimensions: changing one alone is refused at once.
    private static byte[] MutateNumber(Random random, byte[] seed)
    {
        var bytes = seed.ToArray();
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int size = random.Next(3) == 0 ? 4 : 8, at = Place();
            for (int tries = 0; tries < 200 && bytes.AsSpan(at, size).IndexOfAnyExcept((byte)0, (byte)255) < 0; tries++) at = Place();
            var old = bytes.AsSpan(at, size).ToArray();
            var number = new byte[8];
            old.CopyTo(number, 0);
            ulong near = BinaryPrimitives.ReadUInt64LittleEndian(number);
            BinaryPrimitives.WriteUInt64LittleEndian(number, ByteMutation.Boundary(random, random.Next(3) == 0 ? (ulong)bytes.Length : near));
            var changed = number.AsSpan(0, size);
            changed.CopyTo(bytes.AsSpan(at));
            for (int place = at % 2; random.Next(3) > 0 && place + size <= bytes.Length; place += 2)
                if (bytes.AsSpan(place, size).SequenceEqual(old)) changed.CopyTo(bytes.AsSpan(place));

            int Place() => random.Next((Math.Min(bytes.Length, random.Next(4) == 0 ? bytes.Length : StructureSizeBytes) - 8) / 2) * 2;
        }

        return bytes;
    }

    // One of the zlib streams is unpacked, changed, packed and put back, if it still fits.
    private static byte[] MutateChunk(Random random, byte[] seed)
    {
        var places = new List<int>();
        for (int at = 0, found; (found = seed.AsSpan(at).IndexOf((ReadOnlySpan<byte>)[0x78, 0x9c])) >= 0 || (found = seed.AsSpan(at).IndexOf((ReadOnlySpan<byte>)[0x78, 0x5e])) >= 0; at += found + 2)
            places.Add(at + found);
        if (places.Count == 0) return ByteMutation.Mutate(random, seed);
        int place = places[random.Next(places.Count)];
        using var plain = new MemoryStream();
        using var source = new MemoryStream(seed, place, seed.Length - place);
        try
        {
            using var unpacking = new ZLibStream(source, CompressionMode.Decompress, leaveOpen: true);
            unpacking.CopyTo(plain);
        }
        catch (InvalidDataException)
        {
            // Two bytes that only look like a stream.
            return ByteMutation.Mutate(random, seed);
        }

        var content = plain.ToArray();
        if (content.Length < 8) return ByteMutation.Mutate(random, seed);
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            int at = random.Next(content.Length / 8) * 8;
            if (random.Next(2) == 0) content[at] = (byte)random.Next(80);
            else if (random.Next(2) == 0) BinaryPrimitives.WriteUInt64LittleEndian(content.AsSpan(at), ByteMutation.Boundary(random, content[at]));
            else content = ByteMutation.Mutate(random, content);
            if (content.Length < 8) break;
        }

        using var packed = new MemoryStream();
        using (var packing = new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true)) packing.Write(content);
        var changed = seed.ToArray();
        packed.ToArray().AsSpan(0, (int)Math.Min(packed.Length, changed.Length - place)).CopyTo(changed.AsSpan(place));
        return changed;
    }

    // A node, a heap or a header where another one is expected, which may be the one that leads there.
    private static byte[] CopyStructure(Random random, byte[] seed)
    {
        var places = new List<int>();
        foreach (var signature in (byte[][])[[.. "TREE"u8], [.. "SNOD"u8], [.. "HEAP"u8], [.. "OHDR"u8], [.. "OCHK"u8], [.. "FAHD"u8], [.. "FADB"u8]])
        {
            for (int at = 0, found; (found = seed.AsSpan(at).IndexOf(signature)) >= 0; at += found + 4) places.Add(at + found);
        }

        var bytes = seed.ToArray();
        if (places.Count == 0) return ByteMutation.Mutate(random, seed);
        int from = places[random.Next(places.Count)], to = places[random.Next(places.Count)];
        if (random.Next(2) == 0)
        {
            int length = Math.Min(random.Next(8, 600), bytes.Length - Math.Max(from, to));
            seed.AsSpan(from, length).CopyTo(bytes.AsSpan(to));
            return bytes;
        }

        // An address that led to one of them leads to the other.
        var (old, other) = (new byte[8], new byte[8]);
        BinaryPrimitives.WriteInt64LittleEndian(old, from);
        BinaryPrimitives.WriteInt64LittleEndian(other, to);
        int reference = seed.AsSpan().IndexOf(old);
        if (reference < 0) return MutateNumber(random, seed);
        other.CopyTo(bytes, reference);
        return bytes;
    }

    // All tokens are 1, and so is the mask: it packs to a thousandth.
    private static FuzzInput Uniform(int rows, int columns, uint chunkRows, uint chunkColumns)
    {
        var ones = new long[rows, columns];
        MemoryMarshal.CreateSpan(ref ones[0, 0], ones.Length).Fill(1);
        using var bytes = new MemoryStream();
        var creation = new H5DatasetCreation(Filters: [ShuffleFilter.Id, DeflateFilter.Id]);
        new H5File
        {
            ["input_ids"] = new H5Dataset(ones, chunks: [chunkRows, chunkColumns], datasetCreation: creation),
            ["attention_mask"] = new H5Dataset(ones, chunks: [chunkRows, chunkColumns], datasetCreation: creation),
        }.Write(bytes);
        return new FuzzInput("extreme.h5", bytes.ToArray());
    }

    private static byte[] Load(string name)
    {
        using var resource = typeof(Hdf5Target).Assembly.GetManifestResourceStream(name)!;
        using var bytes = new MemoryStream();
        resource.CopyTo(bytes);
        return bytes.ToArray();
    }
}
