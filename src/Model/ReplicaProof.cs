using System.IO.Hashing;
using System.Runtime.InteropServices;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Model;

/// <summary>A device gave other bits for the same computation.</summary>
public sealed class UnequalBitsException(string message) : Exception(message);

/// <summary>
/// A device proves itself before it computes for a run: one short micro-batch, twice, from the same parameters, has to give
/// the same bits. It is done before the first parameters are fetched, with others put in their place: a device that does not pass is
/// then refused while the run is prepared, and no step waits for it. Nothing of it stays: all parameters are overwritten by the
/// first fetch, and a gradient begins at zero whenever it is rented.
/// </summary>
public static class ReplicaProof
{
    // Enough for attention and padding, few enough to take no time beside one pass over the parameters.
    private const int MostTokens = 32;
    private const int PieceLength = 1 << 20;

    /// <exception cref="UnequalBitsException">The device does not give the same bits twice, or is not sure to.</exception>
    public static void Prove(Replica replica, string deviceName, MicroBatch batch)
    {
        RequireMode(replica.IsOnGpu, deviceName);
        Fill(replica);
        var proof = Head(batch);
        Compare(deviceName, () => BitsOf(replica, proof));
    }

    /// <summary>What a GPU computes twice alike it may not compute a third time alike, unless it is told to.</summary>
    /// <exception cref="UnequalBitsException">It is a GPU, and is not.</exception>
    internal static void RequireMode(bool isGpu, string deviceName)
    {
        if (isGpu && DeterministicMode.Objection() is { } objection) throw new UnequalBitsException($"{deviceName} need not give the same bits twice: {objection}. It is not used.");
    }

    /// <summary>Computes twice and compares.</summary>
    /// <exception cref="UnequalBitsException">They differ.</exception>
    public static void Compare(string deviceName, Func<UInt128> compute)
    {
        var (first, second) = (compute(), compute());
        if (first != second)
            throw new UnequalBitsException($"{deviceName} does not give the same bits twice: one micro-batch, computed from the same parameters, had a gradient of hash {first:x32} and then {second:x32}. It is not used.");
    }

    /// <summary>A hash of the loss and every bit of the gradient of a micro-batch.</summary>
    public static UInt128 BitsOf(Replica replica, MicroBatch batch)
    {
        var gradient = replica.RentGradient();
        try
        {
            var loss = replica.Accumulate(batch, 1, gradient);
            var hash = new XxHash128();
            double lossSum = loss.LossSum;
            hash.Append(MemoryMarshal.AsBytes(new ReadOnlySpan<double>(in lossSum)));
            var piece = new float[Math.Min(PieceLength, replica.ParameterCount)];
            for (long offset = 0; offset < replica.ParameterCount; offset += piece.Length)
            {
                var values = piece.AsSpan(0, (int)Math.Min(piece.Length, replica.ParameterCount - offset));
                gradient.Read(offset, values);
                hash.Append(MemoryMarshal.AsBytes(values));
            }

            return hash.GetCurrentHashAsUInt128();
        }
        finally
        {
            replica.Return(gradient);
        }
    }

    // The same numbers again and again, of the size that weights have: at zero most gradients would be zero, too.
    private static void Fill(Replica replica)
    {
        var piece = new float[Math.Min(PieceLength, replica.ParameterCount)];
        for (int i = 0; i < piece.Length; i++) piece[i] = (((i * 7919) % 1009) - 504) / 10_000f;
        for (long offset = 0; offset < replica.ParameterCount; offset += piece.Length)
            replica.WriteParameters(offset, piece.AsSpan(0, (int)Math.Min(piece.Length, replica.ParameterCount - offset)));
    }

    /// <summary>What of a micro-batch is computed: all its rows, each cut short.</summary>
    public static MicroBatch Head(MicroBatch batch)
    {
        int columns = Math.Min(batch.Columns, MostTokens);
        var ids = new byte[batch.RecordCount * columns];
        for (int row = 0; row < batch.RecordCount; row++) batch.TokenIds.AsSpan(row * batch.Columns, columns).CopyTo(ids.AsSpan(row * columns));
        return new MicroBatch(batch.RecordCount, columns, ids, [.. batch.Lengths.Select(length => Math.Min(length, columns))]);
    }
}
