using System.Collections.Immutable;
using System.IO.Hashing;

namespace GenSlmOrleans.Formats;

/// <summary>
/// A zip archive that torch.save wrote (PyTorch 1.6 and later): a bare state dict, or a checkpoint such as Lightning's
/// with the entry <c>state_dict</c>. Tensors may be views into shared storages, strided, Parameters, or shorter than
/// their storage. The pickle inside is read by <see cref="RestrictedUnpickler"/>: nothing in the file is ever executed.
/// </summary>
public sealed class TorchArchive : WeightFile
{
    private readonly ContentFile _file;
    private readonly StoredTensors _tensors;
    private readonly ImmutableArray<ZipEntry> _entries;
    private readonly ZipDirectory _directory;

    private TorchArchive(ContentFile file, ZipDirectory directory, Content content) : base(file.Path, content.Tensors.Descriptions, content.Metadata)
    {
        _file = file;
        _directory = directory;
        _tensors = content.Tensors;
        _entries = content.Entries;
    }

    public override string FormatName => "PyTorch archive";

    /// <summary>Opens an archive and checks that every tensor of its state dict lies within the file.</summary>
    /// <exception cref="WeightFileException">The file is missing, not such an archive, or damaged.</exception>
    public static new TorchArchive Open(string path)
    {
        var file = ContentFile.Open(path);
        try
        {
            var directory = ZipDirectory.Read(file);
            return new TorchArchive(file, directory, ReadContent(file, directory));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Reads the pickle and all storages that tensors use and compares their CRC-32s with the archive's: about a second per
    /// gigabyte or less. Not part of opening, as torch.save can be told to leave the checksums out.
    /// </summary>
    /// <exception cref="WeightFileException">An entry's content is not what was written; it is named.</exception>
    public void VerifyChecksums()
    {
        var buffer = new byte[(int)Math.Min(1 << 20, _entries.Max(entry => entry.Length))];
        foreach (var entry in _entries)
        {
            var checksum = new Crc32();
            long offset = _directory.DataOffset(entry);
            for (long done = 0; done < entry.Length;)
            {
                var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, entry.Length - done));
                _file.Read(offset + done, part);
                checksum.Append(part);
                done += part.Length;
            }

            if (checksum.GetCurrentHashAsUInt32() != entry.Checksum)
            {
                throw _file.Bad($"the archive's entry {MessageText.Quote(entry.Name)} has the CRC-32 {checksum.GetCurrentHashAsUInt32():x8}; " +
                    $"{entry.Checksum:x8} is expected: the file is damaged.");
            }
        }
    }

    protected override void Dispose(bool disposing) => _file.Dispose();

    internal override void ReadElements(int tensor, long firstElement, Span<byte> destination) =>
        _tensors.Read(tensor, firstElement, destination);

    private static Content ReadContent(ContentFile file, ZipDirectory directory)
    {
        var pickles = directory.Entries.Where(entry => entry.Name.Split('/') is [_, "data.pkl"]).ToList();
        if (pickles is not [var pickle])
            throw file.Bad($"the archive has {pickles.Count} entries named data.pkl in a top folder; torch.save writes one.");
        var folder = pickle.Name[..^"data.pkl".Length];
        if (directory.Find(folder + "byteorder") is { } order
            && !file.ReadBlock(directory.DataOffset(order), order.Length, 100, "the archive's byteorder").AsSpan().StartsWith("little"u8))
        {
            throw file.Bad("the archive was written on a big-endian machine; little-endian is expected.");
        }

        var source = new PickleSource(file, directory.DataOffset(pickle), pickle.Length);
        var value = RestrictedUnpickler.Load(source);
        if (source.Position != source.Length) throw source.Bad("goes on after its end");
        var (tensors, metadata) = TorchStateDict.Find(value, file);
        return Place(file, directory, folder, pickle, tensors, metadata);
    }

    // Each storage's entry is looked up once.
    private static Content Place(
        ContentFile file, ZipDirectory directory, string folder, ZipEntry pickle, List<(string Name, PickleTensor Tensor)> tensors,
        IReadOnlyDictionary<string, string> metadata)
    {
        var storages = new Dictionary<string, (ZipEntry Entry, long Offset)>(StringComparer.Ordinal);
        var builder = new StoredTensors.Builder(file);
        foreach (var (name, tensor) in tensors)
        {
            var entryName = $"{folder}data/{tensor.Storage.Key}";
            if (!storages.TryGetValue(entryName, out var place))
            {
                var entry = directory.Find(entryName)
                    ?? throw file.Bad($"the tensor {MessageText.Quote(name)} lies in {MessageText.Quote(entryName)}, which the archive lacks.");
                storages[entryName] = place = (entry, directory.DataOffset(entry));
            }

            Int128 expected = (Int128)tensor.Storage.ElementCount * tensor.Storage.ElementSize;
            if (expected != place.Entry.Length)
            {
                throw file.Bad($"the storage {MessageText.Quote(entryName)} has {place.Entry.Length} bytes; " +
                    $"{expected} are expected for {tensor.Storage.ElementCount} elements of {tensor.Storage.ElementType}.");
            }

            builder.Add(name, tensor, place.Offset);
        }

        return new Content(builder.Build(), [pickle, .. storages.Values.Select(place => place.Entry)], metadata);
    }

    private sealed record Content(StoredTensors Tensors, ImmutableArray<ZipEntry> Entries, IReadOnlyDictionary<string, string> Metadata);
}
