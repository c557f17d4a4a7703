using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Conversions between fp32 and the two 16-bit types, many elements at a time. To 16 bits: to the nearest, ties to even,
/// as IEEE 754 and PyTorch; NaN becomes the quiet NaN 0x7e00 or 0x7fc0 with its sign.
/// </summary>
internal static class HalfRounding
{
    private const uint SignBit = 0x80000000;
    private const uint Infinity = 0x7f800000;

    // 2^112 turns fp16's exponent, moved to where fp32's is, into fp32's; subnormals included.
    private const float ExponentFactor = 5.192296858534828e33f;

    // From here on fp16 would round to infinity: 65520, half-way between its largest number and the next; bf16 likewise.
    private const uint Fp16Overflow = 0x477ff000;
    private const uint Bf16Overflow = 0x7f7f8000;

    // fp16's smallest normal number, 2^-14; and 0.5, whose last bit is worth as much as fp16's smallest number.
    private const uint Fp16Normal = 0x38800000;
    private const uint OneHalf = 0x3f000000;

    /// <summary>fp16 → fp32, exactly.</summary>
    public static void FromFp16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0;
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(destination));
        for (; i <= destination.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var low, out var high);
            FromFp16(low).StoreUnsafe(ref to, (nuint)i);
            FromFp16(high).StoreUnsafe(ref to, (nuint)(i + Vector<uint>.Count));
        }

        for (; i < destination.Length; i++) Unsafe.Add(ref to, i) = FromFp16(new Vector<uint>(source[i]))[0];
    }

    /// <summary>bf16 → fp32, exactly: the upper half of the pattern.</summary>
    public static void FromBf16(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        int i = 0;
        ref var from = ref MemoryMarshal.GetReference(source);
        ref var to = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(destination));
        for (; i <= destination.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            Vector.Widen(Vector.LoadUnsafe(ref from, (nuint)i), out var low, out var high);
            (low << 16).StoreUnsafe(ref to, (nuint)i);
            (high << 16).StoreUnsafe(ref to, (nuint)(i + Vector<uint>.Count));
        }

        for (; i < destination.Length; i++) Unsafe.Add(ref to, i) = (uint)source[i] << 16;
    }

    /// <summary>fp32 → fp16; false when a finite number became infinite.</summary>
    public static bool ToFp16(ReadOnlySpan<float> source, Span<ushort> destination) => Narrow(source, destination, Fp16Overflow, ToFp16);

    /// <summary>fp32 → bf16; false when a finite number became infinite.</summary>
    public static bool ToBf16(ReadOnlySpan<float> source, Span<ushort> destination) => Narrow(source, destination, Bf16Overflow, ToBf16);

    private static bool Narrow(ReadOnlySpan<float> source, Span<ushort> destination, uint overflow, Func<Vector<uint>, Vector<uint>> convert)
    {
        var beyond = Vector<uint>.Zero;
        int i = 0;
        ref var from = ref Unsafe.As<float, uint>(ref MemoryMarshal.GetReference(source));
        ref var to = ref MemoryMarshal.GetReference(destination);
        for (; i <= source.Length - Vector<ushort>.Count; i += Vector<ushort>.Count)
        {
            var low = Vector.LoadUnsafe(ref from, (nuint)i);
            var high = Vector.LoadUnsafe(ref from, (nuint)(i + Vector<uint>.Count));
            beyond |= Overflows(low, overflow) | Overflows(high, overflow);
            Vector.Narrow(convert(low), convert(high)).StoreUnsafe(ref to, (nuint)i);
        }

        for (; i < source.Length; i++)
        {
            var one = new Vector<uint>(Unsafe.Add(ref from, i));
            beyond |= Overflows(one, overflow);
            destination[i] = (ushort)convert(one)[0];
        }

        return beyond == Vector<uint>.Zero;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> Overflows(Vector<uint> bits, uint overflow)
    {
        var magnitude = bits & new Vector<uint>(~SignBit);
        return Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(overflow)) & Vector.LessThan(magnitude, new Vector<uint>(Infinity));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> FromFp16(Vector<uint> half)
    {
        var magnitude = half & new Vector<uint>(0x7fff);
        var value = Vector.AsVectorUInt32(Vector.AsVectorSingle(magnitude << 13) * new Vector<float>(ExponentFactor));
        var special = Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(0x7c00));
        return value | (special & new Vector<uint>(Infinity)) | ((half & new Vector<uint>(0x8000)) << 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> ToFp16(Vector<uint> bits)
    {
        var magnitude = bits & new Vector<uint>(~SignBit);
        // Half of the last bit that stays, less one if that bit is even; then the exponent's new offset, and the cut.
        var even = (magnitude >>> 13) & Vector<uint>.One;
        var normal = (magnitude + new Vector<uint>(0xfff) + even - new Vector<uint>(112u << 23)) >>> 13;
        // The addition itself rounds to multiples of fp16's smallest number.
        var sum = Vector.AsVectorSingle(magnitude) + Vector.AsVectorSingle(new Vector<uint>(OneHalf));
        var subnormal = Vector.AsVectorUInt32(sum) - new Vector<uint>(OneHalf);
        var result = Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<uint>(Fp16Normal)), subnormal, normal);
        result = Vector.ConditionalSelect(Vector.GreaterThanOrEqual(magnitude, new Vector<uint>(Fp16Overflow)), new Vector<uint>(0x7c00), result);
        result = Vector.ConditionalSelect(Vector.GreaterThan(magnitude, new Vector<uint>(Infinity)), new Vector<uint>(0x7e00), result);
        return result | ((bits & new Vector<uint>(SignBit)) >>> 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<uint> ToBf16(Vector<uint> bits)
    {
        var even = (bits >>> 16) & Vector<uint>.One;
        var result = (bits + new Vector<uint>(0x7fff) + even) >>> 16;
        var isNan = Vector.GreaterThan(bits & new Vector<uint>(~SignBit), new Vector<uint>(Infinity));
        return Vector.ConditionalSelect(isNan, new Vector<uint>(0x7fc0) | ((bits & new Vector<uint>(SignBit)) >>> 16), result);
    }
}
