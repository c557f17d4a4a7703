using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Safetensors: the header as JSON with its length kept right, the length itself, and all bytes.</summary>
public sealed class SafetensorsTarget : WeightTarget
{
    private readonly byte[][] _seeds = [WeightSeeds.Safetensors(), WeightSeeds.Safetensors("a", "b", "c"), WeightSeeds.Model()];

    /// <inheritdoc/>
    public override string Name => "safetensors";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
    [
        ("metadata of 95 MB", () => Header($"{{\"__metadata__\":{{\"a\":\"{new string('x', 95_000_000)}\"}}}}")),
        ("a name of 95 MB", () => Header($"{{\"{new string('x', 95_000_000)}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}}}")),
        ("many keys in the metadata", () => Header($"{{\"__metadata__\":{{{string.Join(',', Enumerable.Range(0, 2_000_000).Select(i => $"\"{i}\":\"\""))}}}}}")),
        ("many tensors", () => Header($"{{{string.Join(',', Enumerable.Range(0, 300_000).Select(i => $"\"{i}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}"))}}}")),
        ("a long shape", () => Header($"{{\"a\":{{\"dtype\":\"F32\",\"shape\":[{string.Join(',', Enumerable.Repeat("1", 5_000_000))}],\"data_offsets\":[0,0]}}}}")),
        ("deep nesting", () => Header(string.Concat(Enumerable.Repeat("{\"a\":", 1_000_000)))),
    ];

    /// <inheritdoc/>
    public override FuzzInput Create(Random random)
    {
        var seed = _seeds[random.Next(_seeds.Length)];
        var (header, data) = Split(seed);
        return new FuzzInput("damaged.safetensors", random.Next(10) switch
        {
            < 5 => Join(JsonMutation.Mutate(random, header), data),
            5 => Join(ByteMutation.Mutate(random, header), data),
            6 => Join(header, ByteMutation.Mutate(random, data)),
            7 => ByteMutation.Splice(random, seed, _seeds[random.Next(_seeds.Length)]),
            _ => ByteMutation.Mutate(random, seed),
        });
    }

    /// <summary>A file of a header and data, its length in front.</summary>
    internal static byte[] Join(ReadOnlySpan<byte> header, ReadOnlySpan<byte> data)
    {
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        return [.. length, .. header, .. data];
    }

    internal static (byte[] Header, byte[] Data) Split(byte[] file)
    {
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        return (file[8..(8 + length)], file[(8 + length)..]);
    }

    /// <inheritdoc/>
    protected override void CheckContent(WeightFile file, FuzzInput input, Int128 bytes) => CheckFile(file, input.Files[0].Content, bytes);

    // The same header read by another parser: each byte of the data belongs to one tensor, and the values are those that stand there.
    internal static void CheckFile(WeightFile file, byte[] content, Int128 bytes)
    {
        var (header, data) = Split(content);
        FuzzFindingException.ThrowUnless(bytes == data.Length, $"The tensors have {bytes} bytes, the data {data.Length}.");
        using var json = JsonDocument.Parse(header);
        var covered = new bool[data.Length];
        foreach (var entry in json.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            int tensor = file.IndexOf(entry.Name), begin = entry.Value.GetProperty("data_offsets")[0].GetInt32(), end = entry.Value.GetProperty("data_offsets")[1].GetInt32();
            FuzzFindingException.ThrowUnless(!covered.AsSpan(begin..end).Contains(true), $"'{entry.Name}' overlaps another tensor.");
            covered.AsSpan(begin..end).Fill(true);
            var shape = entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64());
            FuzzFindingException.ThrowUnless(shape.SequenceEqual(file.Tensors[tensor].Shape), $"'{entry.Name}' has another shape than the header says.");
            var read = new byte[end - begin];
            file.ReadRaw(tensor, 0, read);
            FuzzFindingException.ThrowUnless(read.AsSpan().SequenceEqual(data.AsSpan(begin..end)), $"'{entry.Name}' has other bytes than the file.");
        }

        FuzzFindingException.ThrowUnless(!covered.Contains(false), "The data have a hole.");
    }

    private static FuzzInput Header(string json) => new("extreme.safetensors", Join(Encoding.UTF8.GetBytes(json), []));
}

/// <summary>An index of sharded weights with its shards: the index, or one of the shards, is damaged.</summary>
public sealed class ShardedIndexTarget : WeightTarget
{
    private const string IndexName = "model.safetensors.index.json";
    private static readonly string[] s_shards = ["model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors", "model-00003-of-00003.bin"];
    private readonly byte[][] _contents;
    private readonly byte[] _index;

    public ShardedIndexTarget()
    {
        var third = new TorchFixture().Op('}').Op('(').Text("e");
        third.Tensor("FloatStorage", third.Storage(new byte[8]), 2, 0, [2], [1]).Op('u').Op('.');
        _contents = [WeightSeeds.Safetensors("a", "b"), WeightSeeds.Safetensors("c", "d"), ZipMutation.Write(third.Entries(third.Pickle), zip64: true)];
        var map = string.Join(", ", new[] { "a", "b", "c", "d", "e" }.Select((name, i) => $"\"{name}\": \"{s_shards[i / 2]}\""));
        _index = Encoding.UTF8.GetBytes($"{{\"metadata\": {{\"total_size\": 104}}, \"weight_map\": {{{map}}}}}");
    }

    /// <inheritdoc/>
    public override string Name => "index";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
    [
        ("many numbers", () => Index($"{{\"a\":[{string.Join(',', Enumerable.Repeat("0", 20_000_000))}]}}")),
        ("many tensors", () => Index($"{{\"weight_map\":{{{string.Join(',', Enumerable.Range(0, 1_000_000).Select(i => $"\"{i}\":\"a\""))}}}}}")),
        ("many files", () => Index($"{{\"weight_map\":{{{string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"{i}\":\"{i}\""))}}}}}")),
        ("long names", () => Index($"{{\"weight_map\":{{{string.Join(',', Enumerable.Range(0, 90).Select(i => $"\"{i}{new string('x', 500_000)}\":\"{new string('y', 500_000)}\""))}}}}}")),
        ("deep nesting", () => Index(new string('[', 30_000_000))),
    ];

    /// <inheritdoc/>
    public override FuzzInput Create(Random random)
    {
        var (index, contents) = (_index, _contents.ToArray());
        int which = random.Next(contents.Length);
        switch (random.Next(10))
        {
            case < 5: index = JsonMutation.Mutate(random, index); break;
            case < 7: index = ByteMutation.Mutate(random, index); break;
            case 7 when which < 2:
                var (header, data) = SafetensorsTarget.Split(contents[which]);
                contents[which] = SafetensorsTarget.Join(JsonMutation.Mutate(random, header), data);
                break;
            case 8: contents[which] = contents[random.Next(contents.Length)]; break;
            default: contents[which] = ByteMutation.Mutate(random, contents[which]); break;
        }

        return new FuzzInput([new FuzzFile(IndexName, index), .. contents.Select((content, i) => new FuzzFile(s_shards[i], content))]);
    }

    /// <inheritdoc/>
    protected override void CheckContent(WeightFile file, FuzzInput input, Int128 bytes) =>
        FuzzFindingException.ThrowUnless(bytes <= input.SizeBytes, $"The tensors have {bytes} bytes, more than all files.");

    private static FuzzInput Index(string json) => new(IndexName, Encoding.UTF8.GetBytes(json));
}
