using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace GenSlmOrleans.Abstractions;

/// <summary>
/// fp32 values as bf16: the upper half of their bits, rounded to the nearest, ties to the even one, as <c>tensor.to(torch.bfloat16)</c> does with
/// whatever is a number. What is rounded stays as it is when it is rounded again, NaN included, so that it crosses a wire in half the bytes unchanged.
/// </summary>
public static class Bf16
{
    private const uint Exponent = 0x7f800000;
    private const uint Sign = 0x80000000;
    private const uint Quiet = 0x00400000;
    private const uint Upper = 0xffff0000;
    private const uint HalfBelow = 0x7fff;

    /// <summary>Rounds the values where they lie.</summary>
    public static void Round(Span<float> values)
    {
        var bits = MemoryMarshal.Cast<float, uint>(values);
        ref uint start = ref MemoryMarshal.GetReference(bits);
        int end = bits.Length - (bits.Length % Vector256<uint>.Count);
        for (nuint i = 0; i < (nuint)end; i += (nuint)Vector256<uint>.Count) Round(Vector256.LoadUnsafe(ref start, i)).StoreUnsafe(ref start, i);
        for (int i = end; i < bits.Length; i++) bits[i] = Round(bits[i]);
    }

    /// <summary>Writes the values, rounded, in half the bytes.</summary>
    public static void Narrow(ReadOnlySpan<float> values, Span<ushort> halves)
    {
        if (halves.Length != values.Length) throw new ArgumentException($"There is room for {halves.Length} values; there are {values.Length}.", nameof(halves));
        var bits = MemoryMarshal.Cast<float, uint>(values);
        ref uint start = ref MemoryMarshal.GetReference(bits);
        ref ushort first = ref MemoryMarshal.GetReference(halves);
        int width = Vector256<ushort>.Count, end = bits.Length - (bits.Length % width);
        for (nuint i = 0; i < (nuint)end; i += (nuint)width)
        {
            var lower = Vector256.ShiftRightLogical(Round(Vector256.LoadUnsafe(ref start, i)), 16);
            var upper = Vector256.ShiftRightLogical(Round(Vector256.LoadUnsafe(ref start, i + (nuint)Vector256<uint>.Count)), 16);
            Vector256.Narrow(lower, upper).StoreUnsafe(ref first, i);
        }

        for (int i = end; i < bits.Length; i++) halves[i] = (ushort)(Round(bits[i]) >> 16);
    }

    /// <summary>Writes the values that <see cref="Narrow"/> wrote.</summary>
    public static void Widen(ReadOnlySpan<ushort> halves, Span<float> values)
    {
        if (halves.Length != values.Length) throw new ArgumentException($"There is room for {values.Length} values; there are {halves.Length}.", nameof(values));
        var bits = MemoryMarshal.Cast<float, uint>(values);
        ref uint start = ref MemoryMarshal.GetReference(bits);
        ref ushort first = ref MemoryMarshal.GetReference(halves);
        int width = Vector256<ushort>.Count, end = bits.Length - (bits.Length % width);
        for (nuint i = 0; i < (nuint)end; i += (nuint)width)
        {
            var (lower, upper) = Vector256.Widen(Vector256.LoadUnsafe(ref first, i));
            Vector256.ShiftLeft(lower, 16).StoreUnsafe(ref start, i);
            Vector256.ShiftLeft(upper, 16).StoreUnsafe(ref start, i + (nuint)Vector256<uint>.Count);
        }

        for (int i = end; i < bits.Length; i++) bits[i] = (uint)halves[i] << 16;
    }

    // A carry out of the mantissa raises the exponent, as it should: the largest become infinite. NaN keeps what says that it is one.
    private static uint Round(uint bits) =>
        (bits & ~Sign) > Exponent ? (bits | Quiet) & Upper : (bits + HalfBelow + ((bits >> 16) & 1)) & Upper;

    private static Vector256<uint> Round(Vector256<uint> bits)
    {
        var rounded = bits + Vector256.Create(HalfBelow) + (Vector256.ShiftRightLogical(bits, 16) & Vector256<uint>.One);
        var isNaN = Vector256.GreaterThan(bits & Vector256.Create(~Sign), Vector256.Create(Exponent));
        return Vector256.ConditionalSelect(isNaN, bits | Vector256.Create(Quiet), rounded) & Vector256.Create(Upper);
    }
}
