using System.Collections.Immutable;
using System.IO.Hashing;
using System.Numerics;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Fuzzing;

/// <summary>A weight file: opened, looked at as a model, every tensor read; then read again in other pieces and compared.</summary>
public abstract class WeightTarget : FuzzTarget
{
    private const int FirstPiece = 1 << 16;
    private const int SecondPiece = 1000 * 8;

    // What is read again for the comparison, at most.
    private const long MostCompared = 1 << 20;

    private readonly byte[] _buffer = new byte[FirstPiece];
    private readonly byte[] _one = new byte[8];
    private readonly float[] _floats = new float[512];
    private readonly long[] _integers = new long[512];

    /// <inheritdoc/>
    public override bool IsRefusal(Exception error) => error is WeightFileException;

    /// <inheritdoc/>
    public override object Read(string path)
    {
        var file = WeightFile.Open(path);
        try
        {
            var contents = WeightContents.Of(file);
            var hashes = ImmutableArray.CreateBuilder<ulong>();
            for (int tensor = 0; tensor < file.Tensors.Count; tensor++) hashes.Add(HashOf(file, tensor, FirstPiece, long.MaxValue));
            (file as TorchArchive)?.VerifyChecksums();
            return new Opened(file, contents, hashes.ToImmutable());
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override void Check(object result, FuzzInput input, string path)
    {
        var (file, contents, hashes) = (Opened)result;
        using (file)
        {
            Int128 bytes = 0;
            for (int tensor = 0; tensor < file.Tensors.Count; tensor++)
            {
                var description = file.Tensors[tensor];
                FuzzFindingException.ThrowUnless(file.IndexOf(description.Name) == tensor, $"The tensor '{description.Name}' is not found by its name.");
                FuzzFindingException.ThrowUnless(description.ElementCount == Product(description.Shape), $"Shape {description.ShapeText} has {description.ElementCount} elements.");
                long size = description.ElementCount * SizeOf(description.ElementType);
                bytes += size;
                if (size <= MostCompared)
                    FuzzFindingException.ThrowUnless(HashOf(file, tensor, SecondPiece, size) == hashes[tensor], $"'{description.Name}' read twice is not the same.");
                CheckSingleElements(file, tensor);
                CheckConversion(file, tensor);
            }

            FuzzFindingException.ThrowUnless(contents.ParameterCount >= 0, $"The file has {contents.ParameterCount} parameters.");
            CheckContent(file, input, bytes);
        }
    }

    /// <summary>What holds for this format beyond what holds for all; the bytes are those of all tensors.</summary>
    protected abstract void CheckContent(WeightFile file, FuzzInput input, Int128 bytes);

    private static BigInteger Product(ImmutableArray<long> shape) => shape.Aggregate(BigInteger.One, (product, size) => product * size);

    private static int SizeOf(TensorElementType type) => type switch
    {
        TensorElementType.Float64 or TensorElementType.Int64 => 8,
        TensorElementType.Float32 or TensorElementType.Int32 => 4,
        TensorElementType.Float16 or TensorElementType.BFloat16 or TensorElementType.Int16 => 2,
        _ => 1,
    };

    private ulong HashOf(WeightFile file, int tensor, int piece, long most)
    {
        var hash = new XxHash3();
        int size = SizeOf(file.Tensors[tensor].ElementType);
        long count = Math.Min(file.Tensors[tensor].ElementCount, most);
        for (long first = 0; first < count;)
        {
            int length = (int)Math.Min(piece / size, count - first);
            file.ReadRaw(tensor, first, _buffer.AsSpan(0, length * size));
            hash.Append(_buffer.AsSpan(0, length * size));
            first += length;
        }

        return hash.GetCurrentHashAsUInt64();
    }

    // An element alone is the one that stands in the whole.
    private void CheckSingleElements(WeightFile file, int tensor)
    {
        int size = SizeOf(file.Tensors[tensor].ElementType);
        long count = file.Tensors[tensor].ElementCount;
        int few = (int)Math.Min(count, 16);
        foreach (long start in (long[])[0, count - few])
        {
            file.ReadRaw(tensor, start, _buffer.AsSpan(0, few * size));
            for (int i = few - 1; i >= 0; i--)
            {
                file.ReadRaw(tensor, start + i, _one.AsSpan(0, size));
                FuzzFindingException.ThrowUnless(
                    _one.AsSpan(0, size).SequenceEqual(_buffer.AsSpan(i * size, size)), $"Element {start + i} of '{file.Tensors[tensor].Name}' read alone is another.");
            }
        }
    }

    private void CheckConversion(WeightFile file, int tensor)
    {
        var (type, count) = (file.Tensors[tensor].ElementType, (int)Math.Min(file.Tensors[tensor].ElementCount, _floats.Length));
        if (type is TensorElementType.Float32 or TensorElementType.Float16 or TensorElementType.BFloat16 or TensorElementType.Float64)
            file.ReadFloat32(tensor, 0, _floats.AsSpan(0, count));
        else
            file.ReadInt64(tensor, 0, _integers.AsSpan(0, count));
    }

    private sealed record Opened(WeightFile File, WeightContents Contents, ImmutableArray<ulong> Hashes);
}
