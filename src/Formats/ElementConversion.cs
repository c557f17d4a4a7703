using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats;

/// <summary>Sizes of stored elements and their conversion to fp32 or 64-bit integers.</summary>
internal static class ElementConversion
{
    /// <summary>Converts as many raw elements as <paramref name="destination"/> has places.</summary>
    public delegate void Conversion<T>(TensorElementType type, ReadOnlySpan<byte> source, Span<T> destination);

    /// <summary>Bytes of one element.</summary>
    public static int SizeOf(TensorElementType type) => type switch
    {
        TensorElementType.Float64 or TensorElementType.Int64 => 8,
        TensorElementType.Float32 or TensorElementType.Int32 => 4,
        TensorElementType.Float16 or TensorElementType.BFloat16 or TensorElementType.Int16 => 2,
        _ => 1,
    };

    public static bool IsFloating(TensorElementType type) => type is
        TensorElementType.Float32 or TensorElementType.Float16 or TensorElementType.BFloat16 or TensorElementType.Float64;

    /// <summary>fp16 and bf16 convert exactly; fp64 is rounded to the nearest, ties to even.</summary>
    public static void ToFloat32(TensorElementType type, ReadOnlySpan<byte> source, Span<float> destination)
    {
        switch (type)
        {
            case TensorElementType.Float16:
                HalfRounding.FromFp16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorElementType.BFloat16:
                HalfRounding.FromBf16(MemoryMarshal.Cast<byte, ushort>(source), destination);
                break;
            case TensorElementType.Float64:
                var doubles = MemoryMarshal.Cast<byte, double>(source);
                for (int i = 0; i < destination.Length; i++) destination[i] = (float)doubles[i];
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(type), type, "Only fp16, bf16 and fp64 are converted to fp32.");
        }
    }

    /// <summary>Rounds to fp16 or bf16, to the nearest, ties to even; false when a finite number became infinite.</summary>
    public static bool FromFloat32(TensorElementType type, ReadOnlySpan<float> source, Span<byte> destination) => type switch
    {
        TensorElementType.Float16 => HalfRounding.ToFp16(source, MemoryMarshal.Cast<byte, ushort>(destination)),
        TensorElementType.BFloat16 => HalfRounding.ToBf16(source, MemoryMarshal.Cast<byte, ushort>(destination)),
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "fp32 is rounded to fp16 and bf16 only."),
    };

    public static void ToInt64(TensorElementType type, ReadOnlySpan<byte> source, Span<long> destination)
    {
        switch (type)
        {
            case TensorElementType.Int64:
                MemoryMarshal.Cast<byte, long>(source).CopyTo(destination);
                break;
            case TensorElementType.Int32:
                var words = MemoryMarshal.Cast<byte, int>(source);
                for (int i = 0; i < destination.Length; i++) destination[i] = words[i];
                break;
            case TensorElementType.Int16:
                var halves = MemoryMarshal.Cast<byte, short>(source);
                for (int i = 0; i < destination.Length; i++) destination[i] = halves[i];
                break;
            case TensorElementType.Int8:
                for (int i = 0; i < destination.Length; i++) destination[i] = (sbyte)source[i];
                break;
            default:
                for (int i = 0; i < destination.Length; i++) destination[i] = source[i];
                break;
        }
    }
}
