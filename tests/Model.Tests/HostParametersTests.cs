using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Model.Tests;

public sealed class HostParametersTests
{
    // From a single one to more than a core's own cache.
    private static readonly int[] Pieces = [1, 7, 8, 9, 31, 4096, 100_003];

    [Fact]
    public void Parameters_written_where_they_lie_in_pieces_of_any_size_are_those_written_through_libtorch()
    {
        var config = ModelPresets.Find("tiny")!;
        var parameters = Batches.SeededParameters(config);
        var batch = Batches.Pad([[10, 23, 45, 57, 64, 46, 22, 12, 5], [10, 61, 24, 33]]);
        UInt128 Bits(Action<Replica> write)
        {
            using var replica = new Replica(config, "cpu", ComputePrecision.Fp32, PadTokens.Ignore);
            write(replica);
            return ReplicaProof.BitsOf(replica, batch);
        }

        var expected = Bits(replica => replica.WriteParameters(0, parameters));
        foreach (int length in Pieces)
            Assert.Equal(expected, Bits(replica => WriteInPieces(replica, parameters, length)));
    }

    private static void WriteInPieces(Replica replica, float[] parameters, int length)
    {
        using var shared = replica.TryShareParameters()!;
        for (int from = 0; from < parameters.Length; from += length)
            shared.Write(from, parameters.AsSpan(from, Math.Min(length, parameters.Length - from)));
    }
}
