using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats;

/// <summary>A tensor of an archive whose elements are known to lie within the file.</summary>
/// <param name="FileOffset">Where its element (0, 0, …) is, in bytes from the start of the file.</param>
/// <param name="ElementSize">Bytes of an element.</param>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Strides">Elements between neighbours along each dimension.</param>
/// <param name="Extent">Elements from the first to the last in the file, both included; 0 for an empty tensor.</param>
internal sealed record StoredTensor(long FileOffset, int ElementSize, ImmutableArray<long> Shape, ImmutableArray<long> Strides, long Extent)
{
    /// <summary>True when the elements follow one another in row-major order, or there are none.</summary>
    public bool IsContiguous { get; } = Extent == 0 || StepsByOne(Shape, Strides);

    /// <summary>Null when sizes are negative, overflow, reach beyond the storage, or a strided tensor spans more than an array holds.</summary>
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
        var stored = new StoredTensor(storageOffset + tensor.Offset * size, size, tensor.Shape, tensor.Strides, (long)last - tensor.Offset + 1);
        return stored.IsContiguous || stored.Extent <= Array.MaxLength / size ? stored : null;
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

/// <summary>The part of a file that a strided tensor spans, in memory, so that its elements can be picked in row-major order.</summary>
internal sealed class StridedContent
{
    private readonly byte[] _bytes;

    public StridedContent(StoredTensor tensor, ContentFile file)
    {
        Tensor = tensor;
        _bytes = file.ReadBlock(tensor.FileOffset, tensor.Extent * tensor.ElementSize, Array.MaxLength, "a strided tensor");
    }

    public StoredTensor Tensor { get; }

    public void Gather(long firstElement, Span<byte> destination)
    {
        switch (Tensor.ElementSize)
        {
            case 1: Gather<byte>(firstElement, destination); break;
            case 2: Gather<ushort>(firstElement, destination); break;
            case 4: Gather<uint>(firstElement, destination); break;
            default: Gather<ulong>(firstElement, destination); break;
        }
    }

    private void Gather<T>(long firstElement, Span<byte> destination) where T : unmanaged
    {
        var source = MemoryMarshal.Cast<byte, T>(_bytes);
        var target = MemoryMarshal.Cast<byte, T>(destination);
        ReadOnlySpan<long> shape = Tensor.Shape.AsSpan(), strides = Tensor.Strides.AsSpan();
        Span<long> index = stackalloc long[TensorDescription.MaximumRank];
        long at = 0;
        for (int i = shape.Length - 1; i >= 0; i--)
        {
            (firstElement, index[i]) = Math.DivRem(firstElement, shape[i]);
            at += index[i] * strides[i];
        }

        int inner = shape.Length - 1;
        while (true)
        {
            int run = (int)Math.Min(target.Length, shape[inner] - index[inner]);
            for (int i = 0; i < run; i++, at += strides[inner]) target[i] = source[(int)at];
            target = target[run..];
            if (target.IsEmpty) return;

            // An odometer: the row is full and starts again, and so does every wheel outside it that becomes full.
            at -= shape[inner] * strides[inner];
            index[inner] = 0;
            int wheel = inner - 1;
            for (; ++index[wheel] == shape[wheel]; wheel--)
            {
                at -= (shape[wheel] - 1) * strides[wheel];
                index[wheel] = 0;
            }

            at += strides[wheel];
        }
    }
}
