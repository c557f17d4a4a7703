using System.Collections.Immutable;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Short ways to describe, fill and read tensors.</summary>
internal static class Tensors
{
    public static TensorDescription Float(string name, params ReadOnlySpan<long> shape) => new(name, TensorElementType.Float32, [.. shape]);

    /// <summary>A few tensors with every rank from 0 to 3, an empty one, and a name that JSON must escape.</summary>
    public static ImmutableArray<TensorDescription> Mixed { get; } =
        [Float("scalar"), Float("vector", 5), Float("empty", 0, 7), Float("matrix \"ü\"", 4, 3), Float("cube", 2, 3, 4)];

    /// <summary>Values of every kind: ordinary, zeros of both signs, subnormal, infinite, NaN with a payload.</summary>
    public static float[] Values(long count)
    {
        var random = new Random(20221);
        var values = new float[count];
        for (int i = 0; i < count; i++) values[i] = random.NextSingle() - 0.5f;
        ReadOnlySpan<float> odd = [-0f, float.Epsilon, float.NegativeInfinity, BitConverter.UInt32BitsToSingle(0x7fc12345), float.MaxValue];
        for (int i = 0; i < Math.Min(odd.Length, values.Length); i++) values[i * values.Length / odd.Length] = odd[i];
        return values;
    }

    public static long Count(IEnumerable<TensorDescription> tensors) => tensors.Sum(tensor => tensor.ElementCount);

    /// <summary>All values of one tensor, read in pieces of uneven length.</summary>
    public static float[] Read(this WeightFile file, int tensor)
    {
        var values = new float[file.Tensors[tensor].ElementCount];
        for (int start = 0, step = 1; start < values.Length; step = step * 3 + 1)
        {
            int count = Math.Min(step, values.Length - start);
            file.ReadFloat32(tensor, start, values.AsSpan(start, count));
            start += count;
        }

        return values;
    }

    public static float[] Read(this WeightFile file, string name) => file.Read(file.IndexOf(name));

    public static void EqualBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(expected[i]) != BitConverter.SingleToUInt32Bits(actual[i]))
                Assert.Fail($"{what}, element {i}: {expected[i]:R} is expected, {actual[i]:R} was found.");
        }
    }

    /// <summary>A file written with the writer under test.</summary>
    public static byte[] Safetensors(IReadOnlyList<TensorDescription> tensors, ReadOnlySpan<float> values, IReadOnlyDictionary<string, string>? metadata = null)
    {
        using var stream = new MemoryStream();
        using var writer = new SafetensorsWriter(stream, tensors, metadata);
        WriteInPieces(values, writer.Write);
        writer.Complete();
        return stream.ToArray();
    }

    /// <inheritdoc cref="Safetensors"/>
    public static byte[] Archive(string name, IReadOnlyList<TensorDescription> tensors, ReadOnlySpan<float> values)
    {
        using var stream = new MemoryStream();
        using var writer = new TorchArchiveWriter(stream, name, tensors);
        WriteInPieces(values, writer.Write);
        writer.Complete();
        return stream.ToArray();
    }

    /// <summary>Values written in another type, as the file then has them.</summary>
    public static byte[] Store(TensorElementType type, ReadOnlySpan<float> values)
    {
        using var stream = new MemoryStream();
        using var writer = new SafetensorsWriter(stream, [new TensorDescription("a", type, [values.Length])]);
        WriteInPieces(values, writer.Write);
        writer.Complete();
        return stream.ToArray()[^(values.Length * 2)..];
    }

    /// <summary>Stored elements, read as fp32.</summary>
    public static float[] Load(TensorElementType type, ReadOnlySpan<byte> elements)
    {
        using var folder = new TemporaryFolder();
        using var stream = new MemoryStream();
        using var writer = new SafetensorsWriter(stream, [new TensorDescription("a", type, [elements.Length / 2])]);
        writer.WriteRaw(elements);
        writer.Complete();
        using var file = WeightFile.Open(folder.File("a.safetensors", stream.ToArray()));
        return file.Read("a");
    }

    private static void WriteInPieces(ReadOnlySpan<float> values, Action<ReadOnlySpan<float>> write)
    {
        for (int step = 1; !values.IsEmpty; step = step * 2 + 1)
        {
            int count = Math.Min(step, values.Length);
            write(values[..count]);
            values = values[count..];
        }
    }
}
