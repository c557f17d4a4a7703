using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Text.Json;
using System.Text.Unicode;

namespace GenSlmOrleans.Formats;

/// <summary>The checked header of a safetensors file: every byte of the data belongs to exactly one tensor.</summary>
/// <param name="Tensors">The tensors in the order of their data.</param>
/// <param name="Offsets">Where each tensor's data begins, in bytes from the start of the file.</param>
/// <param name="Metadata">The strings of <c>__metadata__</c>.</param>
internal sealed record SafetensorsHeader(
    ImmutableArray<TensorDescription> Tensors, ImmutableArray<long> Offsets, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The longest JSON header the format allows.</summary>
    public const int MaximumLength = 100_000_000;

    /// <summary>The most tensors that a file may have here: each costs memory, however short its entry.</summary>
    public const int MostTensors = 200_000;

    // Bytes of names and metadata: as text they take twice as many, beside the header itself.
    private const int MostText = 16 << 20;

    /// <summary>The key under which the format keeps free text.</summary>
    public const string MetadataKey = "__metadata__";

    public static SafetensorsHeader Read(ContentFile file)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (file.Length < prefix.Length)
            throw file.Bad($"the file has {file.Length} bytes; safetensors start with 8 bytes that give the header's length.");
        file.Read(0, prefix);
        ulong length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaximumLength) throw file.Bad($"the header's length is given as {length} bytes; at most {MaximumLength} are allowed.");
        var json = file.ReadBlock(prefix.Length, (long)length, MaximumLength, "the header");
        if (json is not [(byte)'{', ..]) throw file.Bad("the header does not start with '{'; a JSON object is expected.");
        if (!Utf8.IsValid(json)) throw file.Bad("the header is not valid UTF-8.");
        return new Parser(file, prefix.Length + json.Length).Parse(json);
    }

    /// <summary>The name of an element type in a header.</summary>
    public static string NameOf(TensorElementType type) => s_elementTypes.First(pair => pair.Type == type).Name;

    private static readonly ImmutableArray<(string Name, TensorElementType Type)> s_elementTypes =
    [
        ("F32", TensorElementType.Float32), ("F16", TensorElementType.Float16), ("BF16", TensorElementType.BFloat16),
        ("F64", TensorElementType.Float64), ("I64", TensorElementType.Int64), ("I32", TensorElementType.Int32),
        ("I16", TensorElementType.Int16), ("I8", TensorElementType.Int8), ("U8", TensorElementType.UInt8), ("BOOL", TensorElementType.Bool),
    ];

    private sealed class Parser(ContentFile file, long dataStart)
    {
        private readonly HashSet<string> _names = new(StringComparer.Ordinal);
        private readonly List<(TensorDescription Tensor, long Begin, long End)> _entries = [];
        private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
        private int _text;

        public SafetensorsHeader Parse(byte[] json)
        {
            try
            {
                var reader = new Utf8JsonReader(json);
                reader.Read();
                while (NextName(ref reader, _names, "the header") is { } name)
                {
                    if (name == MetadataKey) ReadMetadata(ref reader);
                    else ReadTensor(ref reader, name);
                }

                // Spaces may follow, for alignment; anything else is an error that the next line finds.
                reader.Read();
            }
            catch (Exception error) when (error is JsonException or InvalidOperationException)
            {
                // InvalidOperationException: an escape such as \ud800 that is half a character.
                throw new WeightFileException($"{file.Path}: the header is not valid JSON ({MessageText.Quote(error)})", error);
            }

            return CheckCoverage();
        }

        // Leaves the reader on the name's value; null at the end of the object.
        private string? NextName(ref Utf8JsonReader reader, HashSet<string> seen, string where)
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.EndObject) return null;
            var name = Text(ref reader);
            if (!seen.Add(name)) throw file.Bad($"{where} has the key {MessageText.Quote(name)} twice.");
            if (seen.Count > MostTensors + 1) throw file.Bad($"{where} has more than {MostTensors} keys.");
            reader.Read();
            return name;
        }

        private string Text(ref Utf8JsonReader reader)
        {
            if (reader.ValueSpan.Length > MostText - _text) throw file.Bad($"the header has more than {MostText} bytes of names and metadata.");
            _text += reader.ValueSpan.Length;
            return reader.GetString()!;
        }

        private void ReadMetadata(ref Utf8JsonReader reader)
        {
            if (reader.TokenType != JsonTokenType.StartObject)
                throw file.Bad($"{MetadataKey} is a {reader.TokenType}; an object of strings is expected.");
            var seen = new HashSet<string>(StringComparer.Ordinal);
            while (NextName(ref reader, seen, MetadataKey) is { } key)
            {
                if (reader.TokenType != JsonTokenType.String)
                    throw file.Bad($"{MetadataKey} has a {reader.TokenType} under {MessageText.Quote(key)}; a string is expected.");
                _metadata.Add(key, Text(ref reader));
            }
        }

        private void ReadTensor(ref Utf8JsonReader reader, string name)
        {
            var where = $"the header's entry {MessageText.Quote(name)}";
            if (reader.TokenType != JsonTokenType.StartObject) throw file.Bad($"{where} is a {reader.TokenType}; an object is expected.");
            TensorElementType? type = null;
            ImmutableArray<long>? shape = null, range = null;
            var seen = new HashSet<string>(StringComparer.Ordinal);
            while (NextName(ref reader, seen, where) is { } key)
            {
                switch (key)
                {
                    case "dtype": type = ReadElementType(ref reader, where); break;
                    case "shape": shape = ReadIntegers(ref reader, $"{where}, shape", TensorDescription.MaximumRank); break;
                    case "data_offsets": range = ReadIntegers(ref reader, $"{where}, data_offsets", 2); break;
                    default: throw file.Bad($"{where} has the key {MessageText.Quote(key)}; only dtype, shape and data_offsets are expected.");
                }
            }

            if (type is null || shape is null || range is not [var begin, var end])
                throw file.Bad($"{where} lacks a dtype, a shape or two data_offsets.");
            if (!TensorDescription.TryCount(shape.Value.AsSpan(), out long count))
                throw file.Bad($"{where} has the impossible shape {TensorDescription.TextOf(shape.Value.AsSpan())}.");
            Int128 bytes = (Int128)count * ElementConversion.SizeOf(type.Value);
            if (begin < 0 || end < begin || bytes != end - begin || end > file.Length - dataStart)
            {
                throw file.Bad($"{where} has {bytes} bytes of {NameOf(type.Value)} by its shape, and the data_offsets [{begin}, {end}] " +
                    $"in a file with {file.Length - dataStart} bytes of data.");
            }

            if (_entries.Count == MostTensors) throw file.Bad($"the header has more than {MostTensors} tensors.");
            _entries.Add((new TensorDescription(name, type.Value, shape.Value), begin, end));
        }

        private TensorElementType ReadElementType(ref Utf8JsonReader reader, string where)
        {
            var found = reader.TokenType == JsonTokenType.String ? reader.GetString()! : reader.TokenType.ToString();
            foreach (var (name, type) in s_elementTypes)
            {
                if (name == found) return type;
            }

            var known = string.Join(", ", s_elementTypes.Select(pair => pair.Name));
            throw file.Bad($"{where} has the dtype {MessageText.Quote(found)}; one of {known} is expected.");
        }

        private ImmutableArray<long> ReadIntegers(ref Utf8JsonReader reader, string where, int most)
        {
            if (reader.TokenType != JsonTokenType.StartArray) throw file.Bad($"{where} is a {reader.TokenType}; an array is expected.");
            var numbers = ImmutableArray.CreateBuilder<long>();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out long number))
                    throw file.Bad($"{where} holds something other than 64-bit integers.");
                if (numbers.Count == most) throw file.Bad($"{where} has more than {most} numbers.");
                numbers.Add(number);
            }

            return numbers.ToImmutable();
        }

        private SafetensorsHeader CheckCoverage()
        {
            // A stable sort: empty tensors keep the header's order.
            var ordered = _entries.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End).ToList();
            long position = 0;
            foreach (var (tensor, begin, end) in ordered)
            {
                if (begin != position)
                {
                    throw file.Bad($"the data of {MessageText.Quote(tensor.Name)} begins at byte {begin}, where {position} is expected; " +
                        $"{(begin > position ? "holes" : "overlaps")} are not allowed.");
                }

                position = end;
            }

            if (position != file.Length - dataStart)
                throw file.Bad($"the tensors take {position} bytes, but the file has {file.Length - dataStart} bytes of data.");
            return new SafetensorsHeader(
                [.. ordered.Select(entry => entry.Tensor)], [.. ordered.Select(entry => dataStart + entry.Begin)], _metadata);
        }
    }
}
