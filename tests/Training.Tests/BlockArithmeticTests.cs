using CsCheck;

namespace GenSlmOrleans.Training.Tests;

public sealed class BlockArithmeticTests
{
    [Fact]
    public void The_squared_norm_has_the_same_bits_for_all_vector_widths()
    {
        Gen.Select(Gen.Int[0, 200], Gen.ULong).Sample(
            (length, seed) =>
            {
                var block = new Numbers(seed).Floats(length, decades: 15);
                Span<double> lanes512 = new double[8], lanes256 = new double[8], lanes128 = new double[8], lanes = new double[8];
                int done512 = BlockArithmetic.Squares512(block, lanes512), done256 = BlockArithmetic.Squares256(block, lanes256), done128 = BlockArithmetic.Squares128(block, lanes128);
                Assert.Equal((length & ~15, length & ~7, length & ~7), (done512, done256, done128));
                double expected = BlockArithmetic.Finish(block, lanes);
                Assert.Equal(expected, BlockArithmetic.Finish(block.AsSpan(done512), lanes512));
                Assert.Equal(expected, BlockArithmetic.Finish(block.AsSpan(done256), lanes256));
                Assert.Equal(expected, BlockArithmetic.Finish(block.AsSpan(done128), lanes128));
                Assert.Equal(expected, BlockArithmetic.SquaredNorm(block));
                double naive = block.Sum(value => (double)value * value);
                Assert.Equal(naive, expected, 1e-12 * naive);
            },
            iter: 500,
            threads: 1);
    }

    [Theory]
    [InlineData(float.NaN, double.NaN)]
    [InlineData(float.PositiveInfinity, double.PositiveInfinity)]
    [InlineData(float.NegativeInfinity, double.PositiveInfinity)]
    public void One_value_that_is_not_finite_shows_in_the_norm_and_is_found(float value, double expected)
    {
        for (int place = 0; place < 37; place++)
        {
            var block = new Numbers(3).Floats(37);
            // The largest and smallest finite values are not mistaken for infinite ones.
            (block[(place + 1) % 37], block[(place + 2) % 37]) = (float.MaxValue, -float.Epsilon);
            Assert.Equal(-1, BlockArithmetic.IndexOfNonFinite(block));
            Assert.True(double.IsFinite(BlockArithmetic.SquaredNorm(block)));
            block[place] = value;
            Assert.Equal(expected, BlockArithmetic.SquaredNorm(block));
            if (place < 36) block[36] = value;
            Assert.Equal(place, BlockArithmetic.IndexOfNonFinite(block));
        }
    }

    [Fact]
    public void Adding_in_place_is_one_addition_an_element()
    {
        for (int length = 0; length < 40; length++)
        {
            var numbers = new Numbers((ulong)length);
            float[] left = numbers.Floats(length, decades: 4), right = numbers.Floats(length, decades: 4);
            float[] expected = [.. left.Zip(right, (a, b) => a + b)], before = [.. right];
            BlockArithmetic.AddInPlace(left, right);
            Assert.Equal(Numbers.Bits(expected), Numbers.Bits(left));
            Assert.Equal(before, right);
        }

        Assert.Throws<ArgumentException>(() => BlockArithmetic.AddInPlace(new float[3], new float[4]));
    }
}
