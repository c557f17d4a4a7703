using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace GenSlmOrleans.Formats;

/// <summary>Writes safetensors. The stream stays open.</summary>
public sealed class SafetensorsWriter : WeightWriter
{
    private readonly Stream _stream;

    /// <summary>Writes the header.</summary>
    /// <param name="stream">Written from where it stands; it need not be seekable.</param>
    /// <param name="tensors">The tensors, in the order in which their values will come.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, or null.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or one is neither fp32, fp16 nor bf16.</exception>
    public SafetensorsWriter(Stream stream, IReadOnlyList<TensorDescription> tensors, IReadOnlyDictionary<string, string>? metadata = null)
        : base(tensors)
    {
        _stream = stream;
        if (tensors.Any(tensor => tensor.Name == SafetensorsHeader.MetadataKey))
            throw new ArgumentException($"A tensor cannot be named {SafetensorsHeader.MetadataKey}.", nameof(tensors));

        using var header = new MemoryStream();
        header.Write(stackalloc byte[8]);
        WriteHeader(header, tensors, metadata);
        // Spaces, so that the data starts at a multiple of 8 and can be mapped as it is.
        while (header.Length % 8 != 0) header.WriteByte((byte)' ');
        long length = header.Length - 8;
        if (length > SafetensorsHeader.MaximumLength)
            throw new ArgumentException($"The header takes {length} bytes; safetensors allow {SafetensorsHeader.MaximumLength}.", nameof(tensors));
        BinaryPrimitives.WriteUInt64LittleEndian(header.GetBuffer(), (ulong)length);
        header.WriteTo(stream);
    }

    private protected override void Begin(int tensor, long length)
    {
        // The header said everything.
    }

    private protected override void Append(ReadOnlySpan<byte> elements) => _stream.Write(elements);

    private protected override void End()
    {
        // The next tensor follows without a gap.
    }

    private protected override void Finish() => _stream.Flush();

    private static void WriteHeader(Stream header, IReadOnlyList<TensorDescription> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        using var json = new Utf8JsonWriter(header, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        if (metadata is { Count: > 0 })
        {
            json.WriteStartObject(SafetensorsHeader.MetadataKey);
            foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)) json.WriteString(key, value);
            json.WriteEndObject();
        }

        long position = 0;
        foreach (var tensor in tensors)
        {
            json.WriteStartObject(tensor.Name);
            json.WriteString("dtype", SafetensorsHeader.NameOf(tensor.ElementType));
            json.WriteStartArray("shape");
            foreach (long size in tensor.Shape) json.WriteNumberValue(size);
            json.WriteEndArray();
            json.WriteStartArray("data_offsets");
            json.WriteNumberValue(position);
            position += tensor.ElementCount * ElementConversion.SizeOf(tensor.ElementType);
            json.WriteNumberValue(position);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
