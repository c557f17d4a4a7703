using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>A tensor of a PyTorch file whose elements are known to lie within the file.</summary>
/// <param name="FileOffset">Where its element (0, 0, …) is, in bytes from the start of the file.</param>
/// <param name="ElementSize">Bytes of an element.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Strides">Elements between neighbours along each dimension.</param>
/// <param name="Extent">Elements from the first to the last in the file, both included; 0 for an empty tensor.</param>
internal sealed record StoredTensor(long FileOffset, int ElementSize, ImmutableArray<long> Shape, ImmutableArray<long> Strides, long Extent)
{
    /// <summary>True when the elements follow one another in row-major order, or there are none.</summary>
    public bool IsContiguous { get; } = Extent == 0 || StepsByOne(Shape, Strides);

    /// <summary>Null when sizes are negative, overflow, or reach beyond the storage.</summary>
    public static StoredTensor? Create(PickleTensor tensor, long storageOffset)
    {
        if (!TensorDescription.TryCount(tensor.Shape.AsSpan(), out long count) || tensor.Offset < 0) return null;
        Int128 last = tensor.Offset;
        for (int i = 0; i < tensor.Shape.Length; i++)
        {
            if (tensor.Strides[i] < 0) return null;
            last += (Int128)Math.Max(tensor.Shape[i] - 1, 0) * tensor.Strides[i];
        }

        int size = ElementConversion.SizeOf(tensor.Storage.ElementType!.Value);
        if (count == 0) return new StoredTensor(storageOffset, size, tensor.Shape, tensor.Strides, 0);
        if (last >= tensor.Storage.ElementCount) return null;
        return new StoredTensor(storageOffset + tensor.Offset * size, size, tensor.Shape, tensor.Strides, (long)last - tensor.Offset + 1);
    }

    // Dimensions of size 1 may have any stride: nothing is ever stepped along them.
    private static bool StepsByOne(ImmutableArray<long> shape, ImmutableArray<long> strides)
    {
        long expected = 1;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            if (shape[i] == 1) continue;
            if (strides[i] != expected) return false;
            expected *= shape[i];
        }

        return true;
    }
}
