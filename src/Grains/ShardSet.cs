using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains;

/// <summary>Sets of shards as contiguous ranges in shard order.</summary>
public static class ShardSet
{
    /// <summary>The ranges of the shards that are marked.</summary>
    public static ImmutableArray<ShardRange> Ranges(ReadOnlySpan<bool> marked)
    {
        var ranges = ImmutableArray.CreateBuilder<ShardRange>();
        for (int shard = 0; shard < marked.Length; shard++)
        {
            if (!marked[shard]) continue;
            int first = shard;
            while (shard < marked.Length && marked[shard]) shard++;
            ranges.Add(new ShardRange(first, shard));
        }

        return ranges.ToImmutable();
    }

    /// <summary>The shards of <paramref name="ranges"/> that are not in <paramref name="taken"/>.</summary>
    public static ImmutableArray<ShardRange> Except(int shardCount, IEnumerable<ShardRange> ranges, IEnumerable<ShardRange> taken)
    {
        var marked = Marked(shardCount, ranges);
        foreach (var range in taken) marked.AsSpan(range.First, range.Count).Clear();
        return Ranges(marked);
    }

    /// <summary>The shards that are in any of the ranges.</summary>
    public static ImmutableArray<ShardRange> Union(int shardCount, IEnumerable<ShardRange> ranges) => Ranges(Marked(shardCount, ranges));

    /// <summary>How many shards the ranges have.</summary>
    public static int Count(IEnumerable<ShardRange> ranges) => ranges.Sum(range => range.Count);

    private static bool[] Marked(int shardCount, IEnumerable<ShardRange> ranges)
    {
        var marked = new bool[shardCount];
        foreach (var range in ranges) marked.AsSpan(range.First, range.Count).Fill(true);
        return marked;
    }
}
