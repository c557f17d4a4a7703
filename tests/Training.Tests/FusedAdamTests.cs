using System.Runtime.InteropServices;
using System.Security.Cryptography;
using CsCheck;

namespace GenSlmOrleans.Training.Tests;

public sealed class FusedAdamTests
{
    private delegate void Kernel(State state, float[] gradient, in AdamStep step);

    [Theory]
    [InlineData(1e-8, 0.0, false, 1.0)]
    [InlineData(1e-2, 0.0, false, 1.0)]
    [InlineData(1e-8, 0.1, false, 1.0)]
    [InlineData(1e-8, 0.1, true, 1.0)]
    [InlineData(1e-3, 0.1, false, 0.125)]
    [InlineData(1e-3, 0.1, true, 0.3)]
    public void Steps_follow_the_published_formula(double epsilon, double weightDecay, bool decoupled, double gradientScale)
    {
        var options = new AdamOptions(Epsilon: epsilon, WeightDecay: weightDecay, Decoupled: decoupled);
        var numbers = new Numbers(7);
        var state = new State(numbers.Floats(67));
        double[] p = [.. state.Parameters.Select(value => (double)value)], m = new double[p.Length], v = new double[p.Length];
        for (int t = 1; t <= 6; t++)
        {
            double learningRate = 0.01 / t;
            var gradient = numbers.Floats(p.Length);
            state.Apply(gradient, AdamStep.Create(options, t, learningRate, gradientScale));
            for (int i = 0; i < p.Length; i++)
            {
                double g = gradient[i] * gradientScale;
                if (decoupled) p[i] -= learningRate * weightDecay * p[i];
                else g += weightDecay * p[i];
                m[i] = (options.Beta1 * m[i]) + ((1 - options.Beta1) * g);
                v[i] = (options.Beta2 * v[i]) + ((1 - options.Beta2) * g * g);
                double mHat = m[i] / (1 - Math.Pow(options.Beta1, t)), vHat = v[i] / (1 - Math.Pow(options.Beta2, t));
                p[i] -= learningRate * mHat / (Math.Sqrt(vHat) + epsilon);
                Assert.Equal(m[i], state.First[i], 1e-6);
                Assert.Equal(v[i], state.Second[i], 1e-6);
                Assert.Equal(p[i], state.Parameters[i], 2e-6);
            }
        }
    }

    [Fact]
    public void All_kernels_give_the_same_bits()
    {
        Gen.Select(Gen.Int[0, 100], Gen.ULong, Gen.OneOf(false, true)).Sample(
            (length, seed, decoupled) =>
            {
                var options = new AdamOptions(WeightDecay: 0.01, Decoupled: decoupled);
                var expected = Run((state, gradient, in step) => FusedAdam.ApplyScalar(state.Parameters, state.First, state.Second, gradient, step));
                Assert.Equal(expected, Run((state, gradient, in step) => Finish(state, gradient, step, FusedAdam.Apply512(state.Parameters, state.First, state.Second, gradient, step), 16)));
                Assert.Equal(expected, Run((state, gradient, in step) => Finish(state, gradient, step, FusedAdam.Apply256(state.Parameters, state.First, state.Second, gradient, step), 8)));
                Assert.Equal(expected, Run((state, gradient, in step) => Finish(state, gradient, step, FusedAdam.Apply128(state.Parameters, state.First, state.Second, gradient, step), 4)));
                Assert.Equal(expected, Run((state, gradient, in step) => state.Apply(gradient, step)));

                uint[] Run(Kernel kernel)
                {
                    var numbers = new Numbers(seed);
                    var state = new State(numbers.Floats(length, decades: 3));
                    for (int t = 1; t <= 3; t++) kernel(state, numbers.Floats(length, decades: 25), AdamStep.Create(options, t, 1e-3, 0.7));
                    return state.Bits();
                }
            },
            iter: 500,
            threads: 1);

        static void Finish(State state, float[] gradient, in AdamStep step, int done, int width)
        {
            Assert.Equal(gradient.Length - (gradient.Length % width), done);
            FusedAdam.ApplyScalar(state.Parameters.AsSpan(done), state.First.AsSpan(done), state.Second.AsSpan(done), gradient.AsSpan(done), step);
        }
    }

    [Fact]
    public void Cutting_the_vector_into_blocks_changes_no_bit()
    {
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 64], Gen.ULong).Sample(
            (length, blockLength, seed) =>
            {
                var numbers = new Numbers(seed);
                var parameters = numbers.Floats(length);
                State whole = new(parameters), cut = new(parameters);
                for (int t = 1; t <= 2; t++)
                {
                    var gradient = numbers.Floats(length, decades: 2);
                    var step = AdamStep.Create(new AdamOptions(), t, 1e-3, 1.5);
                    whole.Apply(gradient, step);
                    for (int first = 0; first < length; first += blockLength)
                    {
                        var block = first..Math.Min(length, first + blockLength);
                        FusedAdam.Apply(cut.Parameters.AsSpan(block), cut.First.AsSpan(block), cut.Second.AsSpan(block), gradient.AsSpan(block), step);
                    }
                }

                Assert.Equal(whole.Bits(), cut.Bits());
            },
            iter: 300,
            threads: 1);
    }

    [Theory]
    [InlineData(0.9)]
    [InlineData(0.999)]
    public void Powers_are_right_and_owe_nothing_to_the_C_library(double beta)
    {
        double product = 1;
        for (int t = 1; t <= 20_000; t++)
        {
            product *= beta;
            Assert.Equal(1 - Math.Pow(beta, t), 1 - AdamStep.Power(beta, t), 1e-13);
            Assert.Equal(1 - product, 1 - AdamStep.Power(beta, t), 1e-13);
        }

        Assert.Equal(1, AdamStep.Power(beta, 0));
        Assert.Equal(beta * beta * (beta * beta * (beta * beta)), AdamStep.Power(beta, 6), 1e-15);
        Assert.Equal(0, AdamStep.Power(beta, long.MaxValue));
        Assert.Throws<ArgumentOutOfRangeException>(() => AdamStep.Create(new AdamOptions(), 0, 1e-3, 1));
    }

    [Fact]
    public void A_seeded_run_has_the_same_bits_on_every_machine()
    {
        var numbers = new Numbers(20240229);
        var state = new State(numbers.Floats(4099));
        for (int t = 1; t <= 4; t++)
            state.Apply(numbers.Floats(4099, decades: 3), AdamStep.Create(new AdamOptions(WeightDecay: 0.01, Decoupled: t > 2), t, 5e-5 * t, 0.25));
        Assert.True(BitConverter.IsLittleEndian);
        Assert.Equal("72bd960401b6e05f19e151767d33314255791ac67d106a63c255bdd1a522aa0d", Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(state.Bits().AsSpan()))));
    }

    [Fact]
    public void Spans_of_different_lengths_are_refused()
    {
        var step = AdamStep.Create(new AdamOptions(), 1, 1e-3, 1);
        float[] three = new float[3], four = new float[4];
        Assert.Throws<ArgumentException>(() => FusedAdam.Apply(three, three, three, four, step));
        Assert.Throws<ArgumentException>(() => FusedAdam.Apply(three, three, four, three, step));
        Assert.Throws<ArgumentException>(() => FusedAdam.Apply(three, four, three, three, step));
    }

    private sealed class State(float[] parameters)
    {
        public float[] Parameters { get; } = [.. parameters];

        public float[] First { get; } = new float[parameters.Length];

        public float[] Second { get; } = new float[parameters.Length];

        public void Apply(float[] gradient, in AdamStep step) => FusedAdam.Apply(Parameters, First, Second, gradient, step);

        public uint[] Bits() => Numbers.Bits([.. Parameters, .. First, .. Second]);
    }
}
