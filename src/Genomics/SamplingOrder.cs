using System.Collections.Immutable;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// The order in which a shard sees its records: a pure function of (seed, epoch, shard), and of the records' lengths where those
/// of similar length are to come together. Shards are strided, so their sizes differ by at most one record: shard k of K owns
/// training records k, k + K, k + 2K…
/// </summary>
public sealed class SamplingOrder(ImmutableArray<int> trainingRecords, int shardCount, ulong seed, bool shuffle, LengthBuckets? buckets = null)
{
    /// <summary>How many records a shard owns.</summary>
    public int RecordCount(int shard) => (trainingRecords.Length - shard + shardCount - 1) / shardCount;

    /// <summary>A shard's records in the order of an epoch, which counts from 0: shuffled anew each epoch, or in file order.</summary>
    public int[] Epoch(int shard, int epoch)
    {
        int count = RecordCount(shard);
        var records = new int[count];
        ulong stream = ((ulong)(uint)epoch << 32) | (uint)shard;
        var order = shuffle ? Permutation.Of(count, seed, RandomPurpose.Shuffle, stream) : null;
        for (int i = 0; i < count; i++) records[i] = trainingRecords[shard + ((order?[i] ?? i) * shardCount)];
        return buckets?.Arrange(records, shuffle, seed, stream) ?? records;
    }
}
