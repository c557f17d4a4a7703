using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes named tensors one after the other, piece by piece, holding none of them. The same tensors and values give the
/// same bytes. Writers of the several formats differ in what they put around the elements.
/// </summary>
public abstract class WeightWriter : IDisposable
{
    // Converted pieces stay in the processor's cache.
    private const int ConversionBuffer = 1 << 18;

    private readonly long _total;
    private long _taken;
    private int _tensor = -1;
    private long _remaining;
    private byte[]? _converted;

    /// <exception cref="ArgumentException">Two tensors have one name, or one is neither fp32, fp16 nor bf16.</exception>
    private protected WeightWriter(IReadOnlyList<TensorDescription> tensors)
    {
        Tensors = tensors;
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var tensor in tensors)
        {
            if (tensor.ElementType is not (TensorElementType.Float32 or TensorElementType.Float16 or TensorElementType.BFloat16))
                throw new ArgumentException($"The tensor {tensor.Name} is {tensor.ElementType}; only fp32, fp16 and bf16 are written.", nameof(tensors));
            if (!names.Add(tensor.Name)) throw new ArgumentException($"Two tensors are named {tensor.Name}.", nameof(tensors));
            _total = checked(_total + tensor.ElementCount);
        }
    }

    /// <summary>What is written, in order.</summary>
    public IReadOnlyList<TensorDescription> Tensors { get; }

    /// <summary>
    /// Appends values to the concatenation of all tensors, rounded to the nearest that the tensor's type has, ties to even;
    /// calls need not respect the tensors' boundaries.
    /// </summary>
    /// <exception cref="InvalidOperationException">There would be more values than the tensors have.</exception>
    /// <exception cref="OverflowException">A finite value is beyond the type's largest; the sentence names the tensor.</exception>
    public void Write(ReadOnlySpan<float> values)
    {
        Take(values.Length);
        while (!values.IsEmpty)
        {
            NextTensor();
            int count = (int)Math.Min(values.Length, _remaining);
            if (CurrentType == TensorElementType.Float32) Append(MemoryMarshal.AsBytes(values[..count]));
            else count = AppendConverted(values[..count]);
            values = values[count..];
            Advance(count);
        }
    }

    /// <summary>Appends elements that are already of their tensors' types; only whole elements.</summary>
    /// <exception cref="InvalidOperationException">There would be more elements than the tensors have, or one is cut.</exception>
    public void WriteRaw(ReadOnlySpan<byte> elements)
    {
        while (!elements.IsEmpty)
        {
            CheckRoom(1);
            NextTensor();
            int size = ElementConversion.SizeOf(CurrentType);
            int count = (int)Math.Min(elements.Length / size, _remaining);
            if (count == 0) throw new InvalidOperationException($"An element of {Tensors[_tensor].Name} is cut.");
            Take(count);
            Append(elements[..(count * size)]);
            elements = elements[(count * size)..];
            Advance(count);
        }
    }

    /// <summary>Checks that all values have come, and writes what comes after them.</summary>
    /// <exception cref="InvalidOperationException">Values are missing.</exception>
    public void Complete()
    {
        if (_taken != _total) throw new InvalidOperationException($"{_taken} values were written; the tensors have {_total}.");
        while (_tensor < Tensors.Count - 1) BeginNext();
        Finish();
    }

    /// <summary>Closes nothing that was passed in: a file that was not completed is for its owner to discard.</summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>A tensor's elements come next, this many bytes.</summary>
    private protected abstract void Begin(int tensor, long length);

    /// <summary>Elements of the tensor that was begun.</summary>
    private protected abstract void Append(ReadOnlySpan<byte> elements);

    /// <summary>The tensor that was begun is complete.</summary>
    private protected abstract void End();

    /// <summary>All tensors are complete.</summary>
    private protected abstract void Finish();

    private TensorElementType CurrentType => Tensors[_tensor].ElementType;

    private void Take(int count)
    {
        CheckRoom(count);
        _taken += count;
    }

    private void CheckRoom(int count)
    {
        if (count > _total - _taken)
            throw new InvalidOperationException($"{_taken + count} values were written; the tensors have only {_total}.");
    }

    // To the next tensor that has elements; those without are complete as they begin.
    private void NextTensor()
    {
        while (_remaining == 0) BeginNext();
    }

    private void BeginNext()
    {
        var tensor = Tensors[++_tensor];
        _remaining = tensor.ElementCount;
        Begin(_tensor, _remaining * ElementConversion.SizeOf(tensor.ElementType));
        if (_remaining == 0) End();
    }

    private void Advance(int count)
    {
        _remaining -= count;
        if (_remaining == 0) End();
    }

    private int AppendConverted(ReadOnlySpan<float> values)
    {
        _converted ??= new byte[ConversionBuffer];
        int size = ElementConversion.SizeOf(CurrentType), count = Math.Min(values.Length, _converted.Length / size);
        var converted = _converted.AsSpan(0, count * size);
        if (!ElementConversion.FromFloat32(CurrentType, values[..count], converted))
        {
            var (name, largest) = CurrentType == TensorElementType.Float16 ? ("fp16", "65504") : ("bf16", "3.39e38");
            throw new OverflowException($"the tensor {MessageText.Quote(Tensors[_tensor].Name)} has values beyond {largest}, the largest that {name} has; take another type.");
        }

        Append(converted);
        return count;
    }
}
