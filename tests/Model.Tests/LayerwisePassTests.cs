using GenSlmOrleans.Formats;
using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model.Tests;

public sealed class LayerwisePassTests
{
    private static readonly int[][] Records = [[10, 23, 45, 57, 64, 46, 22, 12, 5], [10, 61, 24, 33], [10, 7, 7, 19, 40, 51, 0]];

    [Theory]
    [InlineData(true, 3)]
    [InlineData(false, 3)]
    [InlineData(true, 1)]
    public void Layer_by_layer_has_the_bits_of_a_backward_through_the_whole_graph(bool parallelResidual, int layers)
    {
        var config = Batches.SmallConfig with { UseParallelResidual = parallelResidual, LayerCount = layers };
        foreach (var precision in Enum.GetValues<ComputePrecision>())
        {
            var parameters = Batches.SeededParameters(config);
            using var replica = new Replica(config, TestDevice.Name, precision, PadTokens.Ignore);
            replica.WriteParameters(0, parameters);
            var gradient = replica.RentGradient();
            for (int i = 0; i < 2; i++) replica.Accumulate(Batches.Pad(Records), 0.5f, gradient);
            Assert.Equal(WholeGraph(config, precision, parameters, microBatches: 2), Read(gradient, parameters.Length));
            replica.Return(gradient);
        }
    }

    [Theory]
    [InlineData(ComputePrecision.Fp32)]
    [InlineData(ComputePrecision.Bf16)]
    public void What_is_said_to_be_final_does_not_change_any_more(ComputePrecision precision)
    {
        var config = Batches.SmallConfig with { LayerCount = 3 };
        var parameters = Batches.SeededParameters(config);
        using var replica = new Replica(config, TestDevice.Name, precision, PadTokens.Ignore);
        replica.WriteParameters(0, parameters);
        var gradient = replica.RentGradient();
        replica.Accumulate(Batches.Pad(Records), 1f, gradient);
        var seen = new List<(long From, float[] Values)>();
        replica.Accumulate(Batches.Pad(Records), 1f, gradient, from => seen.Add((from, Read(gradient, parameters.Length))));
        var whole = Read(gradient, parameters.Length);
        Assert.Equal([.. seen.Select(part => part.From).OrderDescending()], seen.Select(part => part.From));
        Assert.Equal(config.LayerCount + 2, seen.Count);
        Assert.Equal(0, seen[^1].From);
        foreach (var (from, values) in seen) Assert.Equal(whole[(int)from..], values[(int)from..]);
        // Else it could be said at the very end as well.
        Assert.NotEqual(whole[..(int)seen[0].From], seen[0].Values[..(int)seen[0].From]);
        replica.Return(gradient);
    }

    [Fact]
    public void A_micro_batch_without_a_token_to_predict_is_final_at_once()
    {
        using var replica = new Replica(Batches.SmallConfig, TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        var gradient = replica.RentGradient();
        var said = new List<long>();
        replica.Accumulate(Batches.Pad([[10]]), 1f, gradient, said.Add);
        Assert.Equal([0], said);
        replica.Return(gradient);
    }

    private static float[] WholeGraph(HuggingFaceConfig config, ComputePrecision precision, float[] values, int microBatches)
    {
        using var scope = NewDisposeScope();
        using var parameters = new FlatParameters(GptNeoXStateDict.Describe(config), CPU, precision, trainable: true);
        parameters.Write(0, values);
        using var model = new GptNeoX(config, parameters);
        var sum = zeros([values.Length], ScalarType.Float32, CPU);
        var batch = Batches.Pad(Records);
        for (int i = 0; i < microBatches; i++)
        {
            var gradients = precision == ComputePrecision.Bf16 ? zeros([values.Length], ScalarType.BFloat16, CPU) : sum;
            parameters.AccumulateInto(gradients);
            var ids_BT = tensor([.. batch.TokenIds.Select(id => (long)id)], [batch.RecordCount, batch.Columns], ScalarType.Int64);
            var real_BT = arange(batch.Columns, ScalarType.Int32).unsqueeze(0).lt(tensor(batch.Lengths, ScalarType.Int32).unsqueeze(1));
            var loss = CausalLoss.Sum(model.Logits(model.HiddenStates(ids_BT)), ids_BT, real_BT, PadTokens.Ignore);
            loss.mul(tensor(0.5f)).backward();
            if (!ReferenceEquals(gradients, sum)) sum = sum.add(gradients);
        }

        return sum.data<float>().ToArray();
    }

    private static float[] Read(GradientBuffer gradient, int length)
    {
        var values = new float[length];
        gradient.Read(0, values);
        return values;
    }
}
