namespace GenSlmOrleans.Training.Tests;

public sealed class GradientClipTests
{
    [Fact]
    public void The_norm_does_not_depend_on_the_partitions()
    {
        var layout = new ParameterLayout([new ParameterShape("w", [(6L * ParameterLayout.BlockLength) + 12345])]);
        var gradient = new Numbers(11).Floats((int)layout.ParameterCount, decades: 2);
        double[] whole = [.. Enumerable.Range(0, layout.BlockCount).Select(Norm)];
        double expected = GradientClip.GlobalNorm(whole, 0.5), naive = 0.5 * Math.Sqrt(gradient.Sum(value => (double)value * value));
        Assert.Equal(naive, expected, 1e-10 * naive);
        for (int partitions = 1; partitions <= 5; partitions++)
        {
            var norms = layout.Partition(partitions).Reverse().Select(range => Enumerable.Range(range.First, range.Count).Select(Norm).ToArray()).ToArray();
            Assert.Equal(expected, GradientClip.GlobalNorm([.. norms.Reverse().SelectMany(part => part)], 0.5));
        }

        double Norm(int block) => BlockArithmetic.SquaredNorm(gradient.AsSpan((int)ParameterLayout.BlockOffset(block), layout.BlockSize(block)));
    }

    [Theory]
    [InlineData(5, 1, 1 / 5.000001)]
    [InlineData(0.5, 1, 1)]
    [InlineData(1, 1, 1 / 1.000001)]
    [InlineData(0, 1, 1)]
    [InlineData(1e9, 0, 1)]
    [InlineData(double.PositiveInfinity, 1, 0)]
    [InlineData(double.NaN, 1, double.NaN)]
    public void The_factor_is_that_of_torch(double norm, double maximum, double expected) =>
        Assert.Equal(expected, GradientClip.Factor(norm, maximum), 1e-15);
}
