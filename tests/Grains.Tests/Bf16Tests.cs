using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Tests;

public sealed class Bf16Tests
{
    [Fact]
    public void Values_are_rounded_to_the_nearest_ties_to_the_even_one_and_cross_in_half_the_bytes_unchanged()
    {
        var random = new Random(20261201);
        // Ties, carries into the exponent, subnormal numbers, the largest ones; the length is no multiple of a vector's.
        float[] special = [0f, -0f, 1f, 1.00390625f, 1.01171875f, 1.99999988f, float.MaxValue, -float.MaxValue, 3.3895314e38f, float.Epsilon, 1e-40f, float.PositiveInfinity, float.NegativeInfinity];
        float[] values = [.. special, .. Enumerable.Range(0, 100_000).Select(_ => BitConverter.Int32BitsToSingle(random.Next())).Where(value => !float.IsNaN(value))];
        Array.Resize(ref values, values.Length - (values.Length % 16) + 11);
        var expected = values.Select(Nearest).ToArray();
        var rounded = values.ToArray();
        Bf16.Round(rounded);
        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), rounded.Select(BitConverter.SingleToInt32Bits));

        var halves = new ushort[values.Length];
        var back = new float[values.Length];
        Bf16.Narrow(values, halves);
        Bf16.Widen(halves, back);
        Assert.Equal(rounded.Select(BitConverter.SingleToInt32Bits), back.Select(BitConverter.SingleToInt32Bits));
    }

    // Of the two that have 16 bits, by their distance in double precision; what follows the largest is infinite.
    private static float Nearest(float value)
    {
        if (!float.IsFinite(value)) return value;
        int lower = BitConverter.SingleToInt32Bits(value) & unchecked((int)0xffff0000), upper = lower + 0x10000;
        double Of(int bits) => (bits & 0x7f800000) == 0x7f800000 ? Math.CopySign(Math.Pow(2, 128), value) : BitConverter.Int32BitsToSingle(bits);
        double below = Math.Abs(value - Of(lower)), above = Math.Abs(Of(upper) - value);
        bool isLower = below < above || (below == above && (lower & 0x10000) == 0);
        return BitConverter.Int32BitsToSingle(isLower ? lower : upper);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    public void What_is_no_number_stays_none_and_is_the_same_after_it_has_crossed(int count)
    {
        var values = Enumerable.Range(0, count).Select(i => BitConverter.Int32BitsToSingle(0x7f800001 + i)).ToArray();
        Bf16.Round(values);
        Assert.All(values, value => Assert.True(float.IsNaN(value)));
        var (halves, back) = (new ushort[count], new float[count]);
        Bf16.Narrow(values, halves);
        Bf16.Widen(halves, back);
        Assert.Equal(values.Select(BitConverter.SingleToInt32Bits), back.Select(BitConverter.SingleToInt32Bits));
    }
}
