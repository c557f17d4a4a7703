using System.Collections.Immutable;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes a Hugging Face folder: <c>config.json</c> and <c>model.safetensors</c>, or where that would be larger than a shard
/// may be, <c>model-00001-of-0000N.safetensors</c> with <c>model.safetensors.index.json</c>. The folder is the caller's to commit.
/// </summary>
public sealed class HuggingFaceFolderWriter : WeightWriter
{
    // transformers refuses safetensors that do not say which framework they are for.
    internal static readonly ImmutableDictionary<string, string> ForPyTorch = ImmutableDictionary<string, string>.Empty.Add("format", "pt");

    private readonly AtomicFolder _folder;
    private readonly ImmutableArray<Range> _shards;
    private int _shard = -1;
    private Stream? _stream;
    private SafetensorsWriter? _writer;

    /// <summary>Writes the configuration and begins the first file.</summary>
    /// <param name="folder">Receives the files.</param>
    /// <param name="config">The architecture.</param>
    /// <param name="tensors">The tensors, in the order in which their values will come.</param>
    /// <param name="largestShard">Bytes of tensors that a file may have; one tensor alone may have more.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, one is neither fp32, fp16 nor bf16, there are none, or a shard may have no bytes.</exception>
    public HuggingFaceFolderWriter(AtomicFolder folder, HuggingFaceConfig config, IReadOnlyList<TensorDescription> tensors, long largestShard) : base(tensors)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(largestShard);
        if (tensors.Count == 0) throw new ArgumentException("A model without tensors cannot be written.", nameof(tensors));
        _folder = folder;
        _shards = Cut(tensors, largestShard);
        using var file = folder.CreateFile("config.json");
        file.Write(System.Text.Encoding.UTF8.GetBytes(HuggingFaceConfigWriter.Write(config, tensors[0].ElementType)));
    }

    /// <summary>How many files the tensors are in.</summary>
    public int ShardCount => _shards.Length;

    protected override void Dispose(bool disposing)
    {
        _writer?.Dispose();
        _stream?.Dispose();
        base.Dispose(disposing);
    }

    private protected override void Begin(int tensor, long length)
    {
        if (_shard >= 0 && tensor < _shards[_shard].End.Value) return;
        CloseShard();
        _shard++;
        _stream = _folder.CreateFile(FileName(_shard));
        _writer = new SafetensorsWriter(_stream, [.. Tensors.Take(_shards[_shard])], ForPyTorch);
    }

    private protected override void Append(ReadOnlySpan<byte> elements) => _writer!.WriteRaw(elements);

    private protected override void End()
    {
        // The shard's own writer counts.
    }

    private protected override void Finish()
    {
        CloseShard();
        if (_shards.Length > 1) WriteIndex();
    }

    // Greedy and in order, as huggingface_hub cuts: a tensor that does not fit any more begins the next file.
    private static ImmutableArray<Range> Cut(IReadOnlyList<TensorDescription> tensors, long largestShard)
    {
        var shards = ImmutableArray.CreateBuilder<Range>();
        long size = 0;
        int first = 0;
        for (int i = 0; i < tensors.Count; i++)
        {
            long more = SizeOf(tensors[i]);
            if (i > first && size + more > largestShard)
            {
                shards.Add(first..i);
                (first, size) = (i, 0);
            }

            size += more;
        }

        shards.Add(first..tensors.Count);
        return shards.ToImmutable();
    }

    private static long SizeOf(TensorDescription tensor) => tensor.ElementCount * ElementConversion.SizeOf(tensor.ElementType);

    private string FileName(int shard) => _shards.Length == 1
        ? "model.safetensors"
        : string.Create(CultureInfo.InvariantCulture, $"model-{shard + 1:D5}-of-{_shards.Length:D5}.safetensors");

    private void CloseShard()
    {
        if (_writer is null) return;
        _writer.Complete();
        _writer.Dispose();
        _stream!.Dispose();
        (_writer, _stream) = (null, null);
    }

    private void WriteIndex()
    {
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (int shard = 0; shard < _shards.Length; shard++)
        {
            foreach (var tensor in Tensors.Take(_shards[shard])) map.Add(tensor.Name, FileName(shard));
        }

        using var file = _folder.CreateFile("model.safetensors.index.json");
        using (var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject("metadata");
            json.WriteNumber("total_size", Tensors.Sum(SizeOf));
            json.WriteEndObject();
            json.WriteStartObject("weight_map");
            foreach (var (name, fileName) in map) json.WriteString(name, fileName);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        file.Write("\n"u8);
    }
}
