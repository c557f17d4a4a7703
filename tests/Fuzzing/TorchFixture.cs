using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace GenSlmOrleans.Fuzzing;

/// <summary>
/// Pickles written instruction by instruction and archives written by .NET's own zip: what PyTorch can write, and what an
/// attacker can, independent of the writer under test.
/// </summary>
public sealed class TorchFixture
{
    private readonly List<byte> _pickle = [];
    private readonly List<(string Name, byte[] Content)> _storages = [];

    public TorchFixture() => Bytes(0x80, 2);

    public TorchFixture Bytes(params ReadOnlySpan<byte> bytes)
    {
        _pickle.AddRange(bytes);
        return this;
    }

    public TorchFixture Op(char instruction) => Bytes((byte)instruction);

    public TorchFixture Global(string module, string name) => Bytes(Encoding.UTF8.GetBytes($"c{module}\n{name}\n"));

    public TorchFixture Text(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        return Op('X').Bytes(length).Bytes(bytes);
    }

    public TorchFixture Integer(long number)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return Bytes(0x8a, 8).Bytes(bytes);
    }

    public TorchFixture Integers(params ReadOnlySpan<long> numbers)
    {
        Op('(');
        foreach (long number in numbers) Integer(number);
        return Op('t');
    }

    public TorchFixture OrderedDict() => Global("collections", "OrderedDict").Op(')').Op('R');

    /// <summary>A storage's content, under the next free key.</summary>
    public string Storage(ReadOnlySpan<byte> content)
    {
        _storages.Add(($"data/{_storages.Count}", content.ToArray()));
        return (_storages.Count - 1).ToString();
    }

    /// <summary>_rebuild_tensor_v2 of a view into a storage.</summary>
    public TorchFixture Tensor(string kind, string key, long elements, long offset, ReadOnlySpan<long> shape, ReadOnlySpan<long> strides)
    {
        Global("torch._utils", "_rebuild_tensor_v2").Op('(');
        Op('(').Text("storage").Global("torch", kind).Text(key).Text("cuda:0").Integer(elements).Op('t').Op('Q');
        return Integer(offset).Integers(shape).Integers(strides).Bytes(0x89).OrderedDict().Op('t').Op('R');
    }

    public byte[] Pickle => [.. _pickle];

    /// <summary>The archive's entries with some pickle.</summary>
    public IReadOnlyList<(string Name, byte[] Content)> Entries(byte[] pickle) =>
        [.. _storages.Prepend(("data.pkl", pickle)).Append(("version", "3\n"u8.ToArray())).Select(entry => ("fixture/" + entry.Item1, entry.Item2))];

    /// <summary>The archive, after the pickle's last instruction.</summary>
    public byte[] ToArchive(CompressionLevel compression = CompressionLevel.NoCompression) => ToArchive(Pickle, compression);

    /// <summary>The archive with another pickle.</summary>
    public byte[] ToArchive(byte[] pickle, CompressionLevel compression = CompressionLevel.NoCompression)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in Entries(pickle))
            {
                using var entry = zip.CreateEntry(name, compression).Open();
                entry.Write(content);
            }
        }

        return stream.ToArray();
    }
}
