using System.Collections.Immutable;
using System.IO.Hashing;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// Puts records of similar length into the same micro-batch, so that little is padded. As fairseq and Hugging Face's group_by_length
/// do it: the records, in the order drawn for the epoch, are taken in pools of some micro-batches; each pool is sorted by length and
/// cut into micro-batches, and all micro-batches of the epoch then come in random order. What is in them changes with the draw.
/// </summary>
/// <param name="lengths">Tokens of every record as it is trained on, cut to the sequence limit; 4 bytes a record.</param>
/// <param name="batchSize">Records of a micro-batch; with 1 nothing is arranged.</param>
public sealed class LengthBuckets(ImmutableArray<int> lengths, int batchSize)
{
    // A larger pool pads less, a smaller one makes micro-batches that differ more between epochs: 50 as Hugging Face, and half of a small shard.
    private const int MostBatchesOfPool = 50;
    private const int FewestBatchesOfPool = 2;
    private const int FewestPools = 2;

    /// <summary>XXH3-128 of the lengths, 32 bits each, in hexadecimal: what the order depends on beside settings and numbers of records.</summary>
    public string LengthsHash { get; } = XxHash128.HashToUInt128(MemoryMarshal.AsBytes(lengths.AsSpan())).ToString("x32");

    /// <summary>Arranges the records of a shard's epoch: the same records in another order. The one micro-batch that is not full comes last.</summary>
    /// <param name="drawn">In the epoch's order: shuffled, or as in the file.</param>
    /// <param name="shuffle">Micro-batches in random order; otherwise each comes where the first of its records is in the file.</param>
    /// <param name="seed">The run's.</param>
    /// <param name="stream">Shard and epoch, as the draw had them.</param>
    public int[] Arrange(int[] drawn, bool shuffle, ulong seed, ulong stream)
    {
        if (batchSize == 1 || drawn.Length <= batchSize) return drawn;
        int full = drawn.Length / batchSize, rest = drawn.Length % batchSize;
        int poolSize = Math.Min(drawn.Length, Math.Clamp(full / FewestPools, FewestBatchesOfPool, MostBatchesOfPool) * batchSize);
        var sorted = SortedPools(drawn, poolSize);
        int restStart = RestStart(drawn.Length, poolSize, shuffle, seed, stream);
        int Start(int batch) => batch * batchSize is var start && start >= restStart ? start + rest : start;

        var order = shuffle ? Permutation.Of(full, seed, RandomPurpose.Buckets, stream) : ByFirstRecord(sorted, full, Start);
        var arranged = new int[drawn.Length];
        for (int i = 0; i < full; i++) sorted.AsSpan(Start(order[i]), batchSize).CopyTo(arranged.AsSpan(i * batchSize));
        sorted.AsSpan(restStart, rest).CopyTo(arranged.AsSpan(full * batchSize));
        return arranged;
    }

    // Of equal lengths, the one drawn first comes first: the sort is of numbers that differ, so any sort gives the same.
    private int[] SortedPools(int[] drawn, int poolSize)
    {
        var sorted = new int[drawn.Length];
        var keys = new long[poolSize];
        for (int first = 0; first < drawn.Length; first += poolSize)
        {
            var pool = keys.AsSpan(0, Math.Min(poolSize, drawn.Length - first));
            for (int i = 0; i < pool.Length; i++) pool[i] = Key(lengths[drawn[first + i]], i);
            pool.Sort();
            for (int i = 0; i < pool.Length; i++) sorted[first + i] = drawn[first + Place(pool[i])];
        }

        return sorted;
    }

    // Where in its pool, the last, the micro-batch lies that is not full: anywhere, so that no length is always left for the epoch's end.
    private int RestStart(int count, int poolSize, bool shuffle, ulong seed, ulong stream)
    {
        int poolStart = (count - 1) / poolSize * poolSize;
        int fullOfPool = (count - poolStart) / batchSize;
        // The permutation draws with the numbers from 1.
        return poolStart + ((shuffle ? CounterRandom.Below(fullOfPool + 1, seed, RandomPurpose.Buckets, stream, index: 0) : fullOfPool) * batchSize);
    }

    private int[] ByFirstRecord(int[] sorted, int full, Func<int, int> start)
    {
        var keys = new long[full];
        for (int batch = 0; batch < full; batch++)
        {
            int least = int.MaxValue;
            foreach (int record in sorted.AsSpan(start(batch), batchSize)) least = Math.Min(least, record);
            keys[batch] = Key(least, batch);
        }

        Array.Sort(keys);
        return Array.ConvertAll(keys, Place);
    }

    private static long Key(int rank, int place) => ((long)rank << 32) | (uint)place;

    private static int Place(long key) => (int)(uint)key;
}
