using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace GenSlmOrleans.Training;

/// <summary>Sums over blocks whose bits do not depend on the width of the processor's vectors.</summary>
public static class BlockArithmetic
{
    /// <summary>What stays in a core's own cache while several things are done to it: 64 KiB. A multiple of every vector's width.</summary>
    public const int PieceLength = 1 << 14;

    private const int Lanes = 8;

    /// <summary>Adds <paramref name="right"/> to <paramref name="left"/>, element by element: one inner node of the reduction tree.</summary>
    public static void AddInPlace(Span<float> left, ReadOnlySpan<float> right)
    {
        if (right.Length != left.Length) throw new ArgumentException($"The right side has {right.Length} elements; the left has {left.Length}.", nameof(right));
        ref float l = ref MemoryMarshal.GetReference(left), r = ref MemoryMarshal.GetReference(right);
        int end = left.Length - (left.Length % Vector256<float>.Count);
        for (nuint i = 0; i < (nuint)end; i += (nuint)Vector256<float>.Count)
            (Vector256.LoadUnsafe(ref l, i) + Vector256.LoadUnsafe(ref r, i)).StoreUnsafe(ref l, i);
        for (int i = end; i < left.Length; i++) left[i] += right[i];
    }

    /// <summary>Writes the sum of <paramref name="left"/> and <paramref name="right"/>, element by element: one inner node of the reduction tree.</summary>
    public static void Add(ReadOnlySpan<float> left, ReadOnlySpan<float> right, Span<float> sum)
    {
        left.CopyTo(sum);
        AddInPlace(sum, right);
    }

    /// <summary>
    /// The sum of the squares in double precision: element i goes to lane i mod 8, lanes add up in pairs. NaN or infinity in
    /// the block makes it NaN or infinite.
    /// </summary>
    public static double SquaredNorm(ReadOnlySpan<float> block)
    {
        Span<double> lanes = stackalloc double[Lanes];
        lanes.Clear();
        return Finish(block[AddSquares(block, lanes)..], lanes);
    }

    /// <summary>Makes elements <paramref name="from"/>… of a block, or looks at them, and says what they are.</summary>
    public delegate ReadOnlySpan<float> PieceOf(int from, int count);

    /// <summary>The same of a block that comes in pieces, in order, each of which is still in the cache when its squares are added.</summary>
    public static double SquaredNorm(int length, PieceOf piece)
    {
        Span<double> lanes = stackalloc double[Lanes];
        lanes.Clear();
        int from = 0;
        for (; length - from > PieceLength; from += PieceLength) AddSquares(piece(from, PieceLength), lanes);
        var last = piece(from, length - from);
        return Finish(last[AddSquares(last, lanes)..], lanes);
    }

    // Of as many whole vectors as there are; returns how many elements that was.
    private static int AddSquares(ReadOnlySpan<float> piece, Span<double> lanes) =>
        Vector512.IsHardwareAccelerated ? Squares512(piece, lanes)
        : Vector256.IsHardwareAccelerated ? Squares256(piece, lanes)
        : Vector128.IsHardwareAccelerated ? Squares128(piece, lanes) : 0;

    /// <summary>The first element that is not a finite number; -1 when all are.</summary>
    public static int IndexOfNonFinite(ReadOnlySpan<float> block)
    {
        ref float start = ref MemoryMarshal.GetReference(block);
        // NaN and the infinities, and they alone, have all bits of the exponent.
        var exponent = Vector256.Create(0x7f800000);
        int done = 0;
        for (int end = block.Length - (block.Length % Vector256<float>.Count); done < end; done += Vector256<float>.Count)
            if (Vector256.EqualsAny(Vector256.LoadUnsafe(ref start, (nuint)done).AsInt32() & exponent, exponent)) break;
        for (; done < block.Length; done++)
            if (!float.IsFinite(block[done])) return done;
        return -1;
    }

    internal static int Squares512(ReadOnlySpan<float> block, Span<double> lanes)
    {
        ref float start = ref MemoryMarshal.GetReference(block);
        var sum = Vector512.Create<double>(lanes);
        int end = block.Length - (block.Length % Vector512<float>.Count);
        for (nuint i = 0; i < (nuint)end; i += (nuint)Vector512<float>.Count)
        {
            var (lower, upper) = Vector512.Widen(Vector512.LoadUnsafe(ref start, i));
            sum += lower * lower;
            sum += upper * upper;
        }

        sum.CopyTo(lanes);
        return end;
    }

    internal static int Squares256(ReadOnlySpan<float> block, Span<double> lanes)
    {
        ref float start = ref MemoryMarshal.GetReference(block);
        var low = Vector256.Create<double>(lanes);
        var high = Vector256.Create<double>(lanes[4..]);
        int end = block.Length - (block.Length % Lanes);
        for (nuint i = 0; i < (nuint)end; i += Lanes)
        {
            var (lower, upper) = Vector256.Widen(Vector256.LoadUnsafe(ref start, i));
            low += lower * lower;
            high += upper * upper;
        }

        low.CopyTo(lanes);
        high.CopyTo(lanes[4..]);
        return end;
    }

    internal static int Squares128(ReadOnlySpan<float> block, Span<double> lanes)
    {
        ref float start = ref MemoryMarshal.GetReference(block);
        var (a, b, c, d) = (Vector128.Create<double>(lanes), Vector128.Create<double>(lanes[2..]), Vector128.Create<double>(lanes[4..]), Vector128.Create<double>(lanes[6..]));
        int end = block.Length - (block.Length % Lanes);
        for (nuint i = 0; i < (nuint)end; i += Lanes)
        {
            var (a0, b0) = Vector128.Widen(Vector128.LoadUnsafe(ref start, i));
            var (c0, d0) = Vector128.Widen(Vector128.LoadUnsafe(ref start, i + (Lanes / 2)));
            a += a0 * a0;
            b += b0 * b0;
            c += c0 * c0;
            d += d0 * d0;
        }

        a.CopyTo(lanes);
        b.CopyTo(lanes[2..]);
        c.CopyTo(lanes[4..]);
        d.CopyTo(lanes[6..]);
        return end;
    }

    /// <summary>Adds what is left, which begins at a multiple of 8, and the lanes.</summary>
    internal static double Finish(ReadOnlySpan<float> rest, Span<double> lanes)
    {
        for (int i = 0; i < rest.Length; i++) lanes[i % Lanes] += (double)rest[i] * rest[i];
        return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
    }
}
