using System.Buffers.Binary;

namespace GenSlmOrleans.Formats;

/// <summary>
/// A file that torch.save wrote before PyTorch 1.6, or later when told to: five pickles (a magic number, the version of
/// the format, sizes of the system's numbers, the value itself, the keys of its storages) and the storages, each with its
/// number of elements in front. The pickles are read by <see cref="RestrictedUnpickler"/>: nothing is ever executed.
/// </summary>
internal sealed class LegacyTorchFile : WeightFile
{
    // 0x1950a86a20f9469cfc6c, little-endian.
    private static readonly byte[] s_magic = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

    private readonly ContentFile _file;
    private readonly StoredTensors _tensors;

    private LegacyTorchFile(ContentFile file, StoredTensors tensors, IReadOnlyDictionary<string, string> metadata)
        : base(file.Path, tensors.Descriptions, metadata)
    {
        _file = file;
        _tensors = tensors;
    }

    public override string FormatName => "PyTorch, before 1.6";

    /// <summary>True when a file that starts like this is one.</summary>
    public static bool IsOne(ReadOnlySpan<byte> start) => start is [0x80, ..] && start.IndexOf(s_magic) is > 0 and < 32;

    public static new LegacyTorchFile Open(string path)
    {
        var file = ContentFile.Open(path);
        try
        {
            return Read(file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    protected override void Dispose(bool disposing) => _file.Dispose();

    internal override void ReadElements(int tensor, long firstElement, Span<byte> destination) =>
        _tensors.Read(tensor, firstElement, destination);

    private static LegacyTorchFile Read(ContentFile file)
    {
        var storages = new Dictionary<string, PickleStorage>(StringComparer.Ordinal);
        long position = 0;
        if (Next() is not PickleOpaque { Origin: var origin } || origin != RestrictedUnpickler.Integer + Convert.ToHexStringLower(s_magic))
            throw file.Bad("the file does not start with PyTorch's magic number.");
        if (Next() is var version && version is not 1001L)
            throw file.Bad($"the file has {TorchStateDict.Describe(version)} for its format's version; 1001 is expected.");
        if (Next() is not PickleDictionary system || system.Items.Any(item => item is ("little_endian", not true)))
            throw file.Bad("the file was written on a big-endian machine; little-endian is expected.");
        var (tensors, metadata) = TorchStateDict.Find(Next(), file);
        if (Next() is not PickleList keys) throw file.Bad("the file has no list of its storages.");

        var places = FindStorages(file, position, keys, storages);
        var builder = new StoredTensors.Builder(file);
        foreach (var (name, tensor) in tensors)
        {
            if (!places.TryGetValue(tensor.Storage.Key, out long place))
                throw file.Bad($"the tensor {MessageText.Quote(name)} lies in the storage {MessageText.Quote(tensor.Storage.Key)}, which the file lacks.");
            builder.Add(name, tensor, place);
        }

        return new LegacyTorchFile(file, builder.Build(), metadata);

        object? Next()
        {
            var source = new PickleSource(file, position, file.Length - position);
            var value = RestrictedUnpickler.Load(source, storages);
            position += source.Position;
            return value;
        }
    }

    // Where the elements of each storage begin.
    private static Dictionary<string, long> FindStorages(
        ContentFile file, long position, PickleList keys, Dictionary<string, PickleStorage> storages)
    {
        var places = new Dictionary<string, long>(StringComparer.Ordinal);
        Span<byte> count = stackalloc byte[sizeof(long)];
        foreach (var item in keys.Items)
        {
            if (item is not string key || !storages.TryGetValue(key, out var storage) || storage.ElementSize == 0)
                throw file.Bad($"the file lists {TorchStateDict.Describe(item)} among its storages, whose size is not known.");
            file.Read(position, count);
            long stated = BinaryPrimitives.ReadInt64LittleEndian(count);
            position += count.Length;
            Int128 bytes = (Int128)storage.ElementCount * storage.ElementSize;
            if (stated != storage.ElementCount || bytes > file.Length - position)
            {
                throw file.Bad($"the storage {MessageText.Quote(key)} should have {storage.ElementCount} elements of {storage.ElementSize} bytes; " +
                    $"the file says {stated} and has {file.Length - position} bytes left.");
            }

            if (!places.TryAdd(key, position)) throw file.Bad($"the file has the storage {MessageText.Quote(key)} twice.");
            position += (long)bytes;
        }

        return position == file.Length ? places : throw file.Bad($"the file has {file.Length - position} bytes after its last storage.");
    }
}
