using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes fp32 tensors as safetensors, value by value, holding none of them. The same tensors, metadata and values give the
/// same bytes. The stream stays open.
/// </summary>
public sealed class SafetensorsWriter : IDisposable
{
    private readonly Stream _stream;
    private readonly ExpectedValues _expected;

    /// <summary>Writes the header.</summary>
    /// <param name="stream">Written from where it stands; it need not be seekable.</param>
    /// <param name="tensors">The tensors, in the order in which their values will come; all fp32.</param>
    /// <param name="metadata">Strings for <c>__metadata__</c>, or null.</param>
    /// <exception cref="ArgumentException">Two tensors have one name, or one is not fp32.</exception>
    public SafetensorsWriter(Stream stream, IReadOnlyList<TensorDescription> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        _stream = stream;
        _expected = new ExpectedValues(tensors);
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

    /// <summary>Appends values to the concatenation of all tensors; calls need not respect the tensors' boundaries.</summary>
    /// <exception cref="InvalidOperationException">There would be more values than the tensors have.</exception>
    public void Write(ReadOnlySpan<float> values)
    {
        _expected.Take(values.Length);
        _stream.Write(MemoryMarshal.AsBytes(values));
    }

    /// <summary>Checks that all values have come, and flushes the stream.</summary>
    /// <exception cref="InvalidOperationException">Values are missing.</exception>
    public void Complete()
    {
        _expected.CheckComplete();
        _stream.Flush();
    }

    /// <summary>Does nothing to the stream: a file that was not completed is for its owner to discard.</summary>
    public void Dispose()
    {
        // Nothing is held; the interface is there for symmetry with the archive writer and for what may come.
    }

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
            position += tensor.ElementCount * sizeof(float);
            json.WriteNumberValue(position);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
