using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Model.Tests;

public sealed class ReplicaTests
{
    private static readonly int[][] Records = [[10, 23, 45, 57, 64, 46, 22, 12, 5], [10, 61, 24, 33], [10, 7, 7, 19, 40, 51, 0]];

    [Fact]
    public void Logits_hidden_states_and_loss_are_those_of_the_same_model_in_double_precision()
    {
        var config = Batches.SmallConfig;
        var parameters = Batches.SeededParameters(config);
        using var replica = Seeded(config, parameters);
        var batch = Batches.Pad(Records);
        var (hidden, logits) = replica.Infer(batch);
        var model = new DoublePrecisionModel(config, parameters);
        for (int row = 0; row < Records.Length; row++)
        {
            var (expectedHidden, expectedLogits) = model.Logits(Records[row]);
            for (int t = 0; t < Records[row].Length; t++)
            {
                int place = (row * batch.Columns) + t;
                for (int i = 0; i < config.HiddenSize; i++) Assert.Equal(expectedHidden[t][i], hidden[(place * config.HiddenSize) + i], 1e-5);
                for (int i = 0; i < config.VocabularySize; i++) Assert.Equal(expectedLogits[t][i], logits[(place * config.VocabularySize) + i], 1e-5);
            }
        }

        Assert.Equal(Records.Sum(model.LossSum), replica.Evaluate(batch).LossSum, 1e-4);
    }

    [Fact]
    public void Gradients_are_the_slopes_of_the_loss()
    {
        var config = Batches.SmallConfig;
        var parameters = Batches.SeededParameters(config);
        using var replica = Seeded(config, parameters);
        var gradient = replica.RentGradient();
        replica.Accumulate(Batches.Pad(Records), 1f, gradient);
        var found = new float[parameters.Length];
        gradient.Read(0, found);
        gradient.Dispose();
        var model = new DoublePrecisionModel(config, parameters);
        const double Step = 1e-5;
        for (int place = 3; place < parameters.Length; place += 97)
        {
            double slope = (Records.Sum(model.With(place, Step).LossSum) - Records.Sum(model.With(place, -Step).LossSum)) / (2 * Step);
            Assert.True(Math.Abs(slope - found[place]) <= 2e-4 * Math.Max(1, Math.Abs(slope)), $"parameter {place}: gradient {found[place]:R}, slope {slope:R}");
        }
    }

    [Fact]
    public void The_same_micro_batch_gives_the_same_bits_again()
    {
        var config = Batches.SmallConfig;
        var parameters = Batches.SeededParameters(config);
        float[] Gradient()
        {
            using var replica = Seeded(config, parameters);
            var gradient = replica.RentGradient();
            for (int i = 0; i < 3; i++) replica.Accumulate(Batches.Pad(Records), 0.5f, gradient);
            var values = new float[parameters.Length];
            gradient.Read(0, values);
            gradient.Dispose();
            return values;
        }

        Assert.Equal(Gradient(), Gradient());
    }

    [Fact]
    public void A_rented_gradient_begins_at_zero_and_adds_up()
    {
        var config = Batches.SmallConfig;
        using var replica = Seeded(config, Batches.SeededParameters(config));
        var used = replica.RentGradient();
        replica.Accumulate(Batches.Pad(Records), 1f, used);
        replica.Return(used);
        var first = replica.RentGradient();
        var second = replica.RentGradient();
        replica.Accumulate(Batches.Pad([Records[0]]), 1f, first);
        replica.Accumulate(Batches.Pad([Records[1]]), 1f, second);
        var (left, right, sum) = (Read(first), Read(second), new float[replica.ParameterCount]);
        first.Add(second);
        first.Read(0, sum);
        Assert.Equal(left.Zip(right, (a, b) => a + b), sum);
        first.Dispose();
        second.Dispose();
        float[] Read(GradientBuffer buffer)
        {
            var values = new float[replica.ParameterCount];
            buffer.Read(0, values);
            return values;
        }
    }

    [Fact]
    public void A_block_written_in_pieces_is_the_vector_written_at_once()
    {
        var config = Batches.SmallConfig;
        var parameters = Batches.SeededParameters(config);
        using var whole = Seeded(config, parameters);
        using var pieces = new Replica(config, TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        for (int offset = 0; offset < parameters.Length; offset += 1000)
            pieces.WriteParameters(offset, parameters.AsSpan(offset, Math.Min(1000, parameters.Length - offset)));
        Assert.Equal(whole.Infer(Batches.Pad(Records)).Logits, pieces.Infer(Batches.Pad(Records)).Logits);
    }

    [Fact]
    public void Bf16_accumulates_in_fp32_and_stays_near_fp32()
    {
        var config = Batches.SmallConfig;
        var parameters = Batches.SeededParameters(config);
        using var exact = Seeded(config, parameters);
        using var rounded = Seeded(config, parameters, ComputePrecision.Bf16);
        var batch = Batches.Pad(Records);
        Assert.Equal(exact.Evaluate(batch).LossSum, rounded.Evaluate(batch).LossSum, 0.02 * exact.Evaluate(batch).LossSum);
        var gradient = rounded.RentGradient();
        rounded.Accumulate(batch, 1f, gradient);
        var once = new float[parameters.Length];
        gradient.Read(0, once);
        // In bf16 a sum of many equal terms stops growing at 256 of them; in fp32 it is exact.
        for (int i = 1; i < 600; i++) rounded.Accumulate(batch, 1f, gradient);
        var many = new float[parameters.Length];
        gradient.Read(0, many);
        int largest = Array.IndexOf(once, once.Max());
        Assert.Equal(600.0 * once[largest], many[largest], 1e-3 * Math.Abs(many[largest]));
        gradient.Dispose();
    }

    [Theory]
    [InlineData(ComputePrecision.Fp32)]
    [InlineData(ComputePrecision.Bf16)]
    public void A_micro_batch_that_fails_before_or_after_its_backward_leaves_nothing_to_the_next(ComputePrecision precision)
    {
        var config = Batches.SmallConfig;
        using var replica = Seeded(config, Batches.SeededParameters(config), precision);
        var expected = ReplicaProof.BitsOf(replica, Batches.Pad(Records));
        // No row of the embedding: the forward pass throws.
        var rented = replica.RentGradient();
        Assert.ThrowsAny<Exception>(() => replica.Accumulate(Batches.Pad([[10, 200, 11]]), 1f, rented));
        replica.Return(rented);
        Assert.Equal(expected, ReplicaProof.BitsOf(replica, Batches.Pad(Records)));

        // A gradient of another model: what the backward pass has computed finds no place.
        using var other = new Replica(config with { LayerCount = 1 }, TestDevice.Name, precision, PadTokens.Ignore);
        Assert.ThrowsAny<Exception>(() => replica.Accumulate(Batches.Pad(Records), 1f, other.RentGradient()));
        Assert.Equal(expected, ReplicaProof.BitsOf(replica, Batches.Pad(Records)));
        Assert.Equal(0, replica.GradientsOut);
    }

    [Fact]
    public void A_micro_batch_without_a_token_to_predict_changes_nothing()
    {
        using var replica = Seeded(Batches.SmallConfig, Batches.SeededParameters(Batches.SmallConfig));
        var gradient = replica.RentGradient();
        Assert.Equal(default, replica.Accumulate(Batches.Pad([[10]]), 1f, gradient));
        gradient.Dispose();
    }

    [Fact]
    public void No_tensor_outlives_its_replica()
    {
        NativeLibraries.EnsureLoaded();
        Train();
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long before = AvailableDevices.LiveTensorCount;
        Train();
        Assert.Equal(before, AvailableDevices.LiveTensorCount);

        static void Train()
        {
            foreach (var precision in Enum.GetValues<ComputePrecision>())
            {
                using var replica = Seeded(Batches.SmallConfig, Batches.SeededParameters(Batches.SmallConfig), precision);
                var gradient = replica.RentGradient();
                replica.Accumulate(Batches.Pad(Records), 1f, gradient);
                replica.Evaluate(Batches.Pad(Records));
                replica.Return(gradient);
            }
        }
    }

    private static Replica Seeded(HuggingFaceConfig config, float[] parameters, ComputePrecision precision = ComputePrecision.Fp32)
    {
        var replica = new Replica(config, TestDevice.Name, precision, PadTokens.Ignore);
        replica.WriteParameters(0, parameters);
        return replica;
    }
}
