using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>How one element of a stored tensor is encoded; always little-endian.</summary>
public enum TensorElementType
{
    Float32,
    Float16,
    BFloat16,
    Float64,
    Int64,
    Int32,
    Int16,
    Int8,
    UInt8,
    Bool,
}

/// <summary>A tensor's name, element type and shape; two are equal when all three are, dimension by dimension.</summary>
/// <param name="Name">The name as the file spells it.</param>
/// <param name="ElementType">How its elements are stored.</param>
/// <param name="Shape">Its dimensions, outermost first; empty for a scalar.</param>
public sealed record TensorDescription(string Name, TensorElementType ElementType, ImmutableArray<long> Shape)
{
    /// <summary>The largest number of dimensions a file may give a tensor, as in PyTorch.</summary>
    internal const int MaximumRank = 64;

    /// <summary>How many elements the tensor has: the product of its dimensions, 1 for a scalar.</summary>
    /// <exception cref="OverflowException">The product does not fit 64 bits; no reader returns such a tensor.</exception>
    public long ElementCount => TryCount(Shape.AsSpan(), out long count)
        ? count
        : throw new OverflowException($"The tensor {Name} of shape {ShapeText} has more than 2^63 elements.");

    /// <summary>The shape as people write it: <c>[69, 512]</c>.</summary>
    public string ShapeText => TextOf(Shape.AsSpan());

    public bool Equals(TensorDescription? other) =>
        other is not null && Name == other.Name && ElementType == other.ElementType
        && Shape.AsSpan().SequenceEqual(other.Shape.AsSpan());

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.Add(Name, StringComparer.Ordinal);
        hash.Add(ElementType);
        foreach (long size in Shape) hash.Add(size);
        return hash.ToHashCode();
    }

    internal static string TextOf(ReadOnlySpan<long> shape) => $"[{string.Join(", ", shape.ToArray())}]";

    /// <summary>The product of non-negative dimensions; false when one is negative or the product overflows.</summary>
    internal static bool TryCount(ReadOnlySpan<long> shape, out long count)
    {
        count = 1;
        foreach (long size in shape)
        {
            if (size < 0) return false;
            // An empty dimension makes the tensor empty, however large the others are.
            if (size == 0) count = 0;
        }

        if (count == 0) return true;
        foreach (long size in shape)
        {
            Int128 product = (Int128)count * size;
            if (product > long.MaxValue) return false;
            count = (long)product;
        }

        return true;
    }
}
