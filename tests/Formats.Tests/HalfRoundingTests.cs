using System.Runtime.InteropServices;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>The 16-bit types against .NET's own scalar conversions and against the definition.</summary>
public class HalfRoundingTests
{
    // Half-way between the largest number and the one that would follow: 65520, and 2^128 less 2^119.
    private const uint Fp16Limit = 0x477ff000;
    private const uint Bf16Limit = 0x7f7f8000;

    // Around every number that fp16 and bf16 have: the number, its neighbours, half-way to the next, and just beside half-way.
    private static readonly float[] s_delicate = Delicate();

    [Fact]
    public void Every_fp16_and_every_bf16_becomes_its_value()
    {
        var patterns = Enumerable.Range(0, 1 << 16).Select(bits => (ushort)bits).ToArray();
        var values = Tensors.Load(TensorElementType.Float16, MemoryMarshal.AsBytes<ushort>(patterns));
        for (int i = 0; i < values.Length; i++) Assert.Equal((float)BitConverter.UInt16BitsToHalf(patterns[i]), values[i]);
        values = Tensors.Load(TensorElementType.BFloat16, MemoryMarshal.AsBytes<ushort>(patterns));
        for (int i = 0; i < values.Length; i++) Assert.Equal((uint)patterns[i] << 16, BitConverter.SingleToUInt32Bits(values[i]));
    }

    [Fact]
    public void Rounding_to_fp16_is_to_the_nearest_with_ties_to_even()
    {
        var values = Within(Fp16Limit);
        var rounded = MemoryMarshal.Cast<byte, ushort>(Tensors.Store(TensorElementType.Float16, values)).ToArray();
        for (int i = 0; i < rounded.Length; i++)
        {
            var expected = float.IsNaN(values[i]) ? (ushort)(0x7e00 | (float.IsNegative(values[i]) ? 0x8000 : 0)) : BitConverter.HalfToUInt16Bits((Half)values[i]);
            Assert.True(expected == rounded[i], $"{values[i]:R} became {rounded[i]:x4}; {expected:x4} is expected.");
        }
    }

    [Fact]
    public void Rounding_to_bf16_is_to_the_nearest_with_ties_to_even()
    {
        var values = Within(Bf16Limit);
        var rounded = MemoryMarshal.Cast<byte, ushort>(Tensors.Store(TensorElementType.BFloat16, values)).ToArray();
        for (int i = 0; i < rounded.Length; i++)
        {
            // The nearer of the two neighbours, in double precision; of two as near, the even one.
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            ushort below = (ushort)(bits >> 16), above = (ushort)(below + 1);
            double down = Math.Abs(values[i] - (double)Bf16(below)), up = Math.Abs(Bf16Exact(above) - values[i]);
            ushort expected = float.IsInfinity(values[i]) ? below : float.IsNaN(values[i]) ? (ushort)(0x7fc0 | (below & 0x8000)) : down < up || (down == up && below % 2 == 0) || down == 0 ? below : above;
            Assert.True(expected == rounded[i], $"{values[i]:R} became {rounded[i]:x4}; {expected:x4} is expected.");
        }
    }

    [Theory]
    [InlineData(TensorElementType.Float16, Fp16Limit)]
    [InlineData(TensorElementType.BFloat16, Bf16Limit)]
    public void A_finite_number_that_would_become_infinite_is_noticed(TensorElementType type, uint limit)
    {
        float largest = BitConverter.UInt32BitsToSingle(limit - 1), beyond = BitConverter.UInt32BitsToSingle(limit);
        foreach (int count in (int[])[1, 5, 100])
        {
            var values = Enumerable.Repeat(-largest, count).ToArray();
            values[count / 2] = float.NegativeInfinity;
            Tensors.Store(type, values);
            values[^1] = -beyond;
            Assert.Contains("the tensor 'a' has values beyond", Assert.Throws<OverflowException>(() => Tensors.Store(type, values)).Message);
        }
    }

    // What is beyond is refused.
    private static float[] Within(uint limit) =>
        [.. s_delicate.Where(value => !float.IsFinite(value) || MathF.Abs(value) < BitConverter.UInt32BitsToSingle(limit))];

    private static float Bf16(ushort pattern) => BitConverter.UInt32BitsToSingle((uint)pattern << 16);

    // After bf16's largest number comes 2^128, which only double precision has.
    private static double Bf16Exact(ushort pattern) => (pattern & 0x7fff) == 0x7f80 ? Math.CopySign(Math.ScaleB(1, 128), Bf16(pattern)) : Bf16(pattern);

    private static float[] Delicate()
    {
        var values = new List<float>();
        for (int pattern = 0; pattern < 1 << 16; pattern++)
        {
            uint fp16 = BitConverter.SingleToUInt32Bits((float)BitConverter.UInt16BitsToHalf((ushort)pattern)), bf16 = (uint)pattern << 16;
            foreach (uint bits in (uint[])[fp16, fp16 + 1, fp16 - 1, fp16 + 0xfff, fp16 + 0x1000, fp16 + 0x1001, bf16, bf16 + 0x7fff, bf16 + 0x8000, bf16 + 0x8001])
                values.Add(BitConverter.UInt32BitsToSingle(bits));
        }

        // Half-way between fp16's subnormal numbers, which are 2^-24 apart.
        for (int i = 0; i < 1024; i++)
        {
            float middle = (i + 0.5f) / (1 << 24);
            values.AddRange([middle, -middle, MathF.BitIncrement(middle), MathF.BitDecrement(middle)]);
        }

        return [.. values];
    }
}
