using System.Buffers;
using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats;

/// <summary>
/// A file (or several that belong together) of named tensors, opened for reading. Values are read piece by piece, in
/// row-major order whatever the strides in the file; nothing is held in memory. Safe to read from several threads.
/// </summary>
public abstract class WeightFile : IDisposable
{
    // Small enough for a processor's cache, so that what is converted has not to come from memory again.
    private const int ConversionBuffer = 1 << 18;

    private readonly ImmutableArray<TensorDescription> _tensors;
    private readonly Dictionary<string, int> _indices;

    private protected WeightFile(string path, ImmutableArray<TensorDescription> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        Path = path;
        Metadata = metadata;
        _tensors = tensors;
        _indices = new Dictionary<string, int>(tensors.Length, StringComparer.Ordinal);
        for (int i = 0; i < tensors.Length; i++)
        {
            if (!_indices.TryAdd(tensors[i].Name, i))
                throw new WeightFileException($"{path}: the tensor {MessageText.Quote(tensors[i].Name)} occurs twice.");
        }
    }

    /// <summary>What kind of file it is, in the words of a person.</summary>
    public abstract string FormatName { get; }

    /// <summary>The file as it was asked for.</summary>
    public string Path { get; }

    /// <summary>All tensors: safetensors in the order of their data, PyTorch archives in the order of their dictionary.</summary>
    public IReadOnlyList<TensorDescription> Tensors => _tensors;

    /// <summary>Safetensors' <c>__metadata__</c>, or the plain values beside a checkpoint's <c>state_dict</c> (<c>epoch</c>, …).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>
    /// Opens safetensors, an index of sharded weights, a PyTorch file (.pt, .pth, .ckpt, .bin; before 1.6 too), or a Hugging
    /// Face folder with one of these under its usual name. The content decides, not the name.
    /// </summary>
    /// <exception cref="WeightFileException">The file is missing, none of these, or not as its format demands.</exception>
    public static WeightFile Open(string path) => WeightFileKind.Open(path);

    /// <summary>The tensor's place in <see cref="Tensors"/>, or -1.</summary>
    public int IndexOf(string name) => _indices.GetValueOrDefault(name, -1);

    /// <summary>
    /// Reads consecutive elements of one tensor, converting fp16, bf16 and fp64 to fp32.
    /// </summary>
    /// <param name="tensor">Place in <see cref="Tensors"/>.</param>
    /// <param name="firstElement">The first element wanted, counted in row-major order.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="WeightFileException">The tensor holds integers, or the file was cut short.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such tensor, or it has no such elements.</exception>
    public void ReadFloat32(int tensor, long firstElement, Span<float> destination)
    {
        var type = CheckRange(tensor, firstElement, destination.Length);
        if (type == TensorElementType.Float32)
        {
            ReadElements(tensor, firstElement, MemoryMarshal.AsBytes(destination));
            return;
        }

        if (!ElementConversion.IsFloating(type)) throw NotConvertible(tensor, "a floating-point type");
        ReadConverted(tensor, firstElement, destination, type, ElementConversion.ToFloat32);
    }

    /// <summary>Reads consecutive elements of one tensor as they are stored.</summary>
    /// <param name="tensor">Place in <see cref="Tensors"/>.</param>
    /// <param name="firstElement">The first element wanted, counted in row-major order.</param>
    /// <param name="destination">Filled completely; a whole number of elements long.</param>
    /// <exception cref="WeightFileException">The file was cut short.</exception>
    /// <exception cref="ArgumentException">There is no such tensor, it has no such elements, or the destination ends within one.</exception>
    public void ReadRaw(int tensor, long firstElement, Span<byte> destination)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(tensor, _tensors.Length);
        var (count, rest) = Math.DivRem(destination.Length, ElementConversion.SizeOf(_tensors[tensor].ElementType));
        if (rest != 0) throw new ArgumentException("The destination ends within an element.", nameof(destination));
        CheckRange(tensor, firstElement, count);
        ReadElements(tensor, firstElement, destination);
    }

    /// <summary>Reads consecutive elements of an integer or Boolean tensor (token ids, masks).</summary>
    /// <inheritdoc cref="ReadFloat32" path="/param"/>
    /// <exception cref="WeightFileException">The tensor holds no integers, or the file was cut short.</exception>
    public void ReadInt64(int tensor, long firstElement, Span<long> destination)
    {
        var type = CheckRange(tensor, firstElement, destination.Length);
        if (ElementConversion.IsFloating(type)) throw NotConvertible(tensor, "an integer type");
        ReadConverted(tensor, firstElement, destination, type, ElementConversion.ToInt64);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected abstract void Dispose(bool disposing);

    /// <summary>Reads raw elements in row-major order; the range has been checked.</summary>
    internal abstract void ReadElements(int tensor, long firstElement, Span<byte> destination);

    private void ReadConverted<T>(
        int tensor, long firstElement, Span<T> destination, TensorElementType type, ElementConversion.Conversion<T> convert)
    {
        int size = ElementConversion.SizeOf(type);
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min((long)destination.Length * size, ConversionBuffer));
        try
        {
            while (!destination.IsEmpty)
            {
                int count = Math.Min(destination.Length, buffer.Length / size);
                var raw = buffer.AsSpan(0, count * size);
                ReadElements(tensor, firstElement, raw);
                convert(type, raw, destination[..count]);
                destination = destination[count..];
                firstElement += count;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private TensorElementType CheckRange(int tensor, long firstElement, int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(tensor);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(tensor, _tensors.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(firstElement);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstElement, _tensors[tensor].ElementCount - count);
        return _tensors[tensor].ElementType;
    }

    private WeightFileException NotConvertible(int tensor, string expected) =>
        new($"{Path}: the tensor {MessageText.Quote(_tensors[tensor].Name)} holds {_tensors[tensor].ElementType}; {expected} is expected.");
}
