using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Model.Tests;

public sealed class ReplicaProofTests
{
    private static readonly int[][] Records = [[10, 23, 45, 57, 64, 46, 22, 12, 5], [10, 61, 24, 33], [10, 7, 7, 19, 40, 51, 0]];

    [Theory]
    [InlineData(ComputePrecision.Fp32, PadTokens.Ignore)]
    [InlineData(ComputePrecision.Fp32, PadTokens.Count)]
    [InlineData(ComputePrecision.Bf16, PadTokens.Ignore)]
    public void A_device_that_gives_the_same_bits_twice_passes_and_training_has_the_bits_it_has_without_the_proof(ComputePrecision precision, PadTokens padTokens)
    {
        var parameters = Batches.SeededParameters(Batches.SmallConfig);
        UInt128 Bits(bool prove)
        {
            using var replica = new Replica(Batches.SmallConfig, TestDevice.Name, precision, padTokens);
            if (prove) ReplicaProof.Prove(replica, TestDevice.Name, Batches.Pad(Records));
            replica.WriteParameters(0, parameters);
            return ReplicaProof.BitsOf(replica, Batches.Pad(Records));
        }

        Assert.Equal(Bits(prove: false), Bits(prove: true));
    }

    [Fact]
    public void A_device_that_computes_otherwise_the_second_time_is_refused_by_name()
    {
        var config = Batches.SmallConfig;
        using var replica = new Replica(config, TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        var parameters = Batches.SeededParameters(config);
        int computed = 0;
        var refused = Assert.Throws<UnequalBitsException>(() => ReplicaProof.Compare("cuda:3", () =>
        {
            // What a memory that is bad does: one bit of one weight of the last layer.
            int place = parameters.Length - 5;
            if (computed++ > 0) parameters[place] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(parameters[place]) ^ (1 << 18));
            replica.WriteParameters(0, parameters);
            return ReplicaProof.BitsOf(replica, Batches.Pad(Records));
        }));
        Assert.StartsWith("cuda:3 does not give the same bits twice: ", refused.Message);
    }

    [Fact]
    public void The_proof_reaches_every_parameter()
    {
        var config = Batches.SmallConfig;
        using var replica = new Replica(config, TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        ReplicaProof.Prove(replica, TestDevice.Name, Batches.Pad(Records));
        var gradient = replica.RentGradient();
        replica.Accumulate(Batches.Pad(Records), 1, gradient);
        var values = new float[replica.ParameterCount];
        gradient.Read(0, values);
        int offset = 0;
        foreach (var tensor in GptNeoXStateDict.Describe(config))
        {
            Assert.True(values.AsSpan(offset, (int)tensor.ElementCount).ContainsAnyExcept(0f), $"no gradient reaches {tensor.Name}");
            offset += (int)tensor.ElementCount;
        }
    }
}
