using System.Collections.Immutable;
using System.Numerics;

namespace GenSlmOrleans.Training;

/// <summary>A node of the reduction tree.</summary>
/// <param name="Level">Height above the shards, which are level 0.</param>
/// <param name="Index">Place in its level, from 0.</param>
public readonly record struct TreeNode(int Level, int Index);

/// <summary>
/// The one fixed binary tree along which the shards' gradients are added, for any number of shards. Node (l, i) covers the
/// shards from i·2^l to (i+1)·2^l, as far as there are any; its value is its left child's plus its right child's.
/// </summary>
public sealed class ReductionTree
{
    /// <param name="shardCount">At least 1.</param>
    public ReductionTree(int shardCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shardCount, 1);
        ShardCount = shardCount;
        // The bits that the last shard's number has: ⌈log2 shardCount⌉.
        Root = new TreeNode(32 - BitOperations.LeadingZeroCount((uint)shardCount - 1), 0);
    }

    /// <summary>How many shards there are.</summary>
    public int ShardCount { get; }

    /// <summary>The lowest node that covers all shards.</summary>
    public TreeNode Root { get; }

    /// <summary>The shards a node covers: from First to End - 1. None where First is End.</summary>
    public (int First, int End) Covers(TreeNode node) =>
        ((int)Math.Min((long)node.Index << node.Level, ShardCount), (int)Math.Min(((long)node.Index + 1) << node.Level, ShardCount));

    /// <summary>Whether a node is the root or below it and covers a shard.</summary>
    public bool Contains(TreeNode node) =>
        node.Level >= 0 && node.Level <= Root.Level && node.Index >= 0 && Covers(node) is var (first, end) && first < end;

    /// <summary>The node that a node and its sibling make up.</summary>
    public TreeNode Parent(TreeNode node) => new(node.Level + 1, node.Index >> 1);

    /// <summary>The other child of a node's parent.</summary>
    public TreeNode Sibling(TreeNode node) => new(node.Level, node.Index ^ 1);

    /// <summary>The nodes whose sums make that of <paramref name="node"/> when they are added to the one of <paramref name="shard"/>, in this order. The node holds the shard.</summary>
    public IEnumerable<TreeNode> Besides(TreeNode node, int shard)
    {
        for (var at = new TreeNode(0, shard); at != node; at = Parent(at))
            if (Contains(Sibling(at))) yield return Sibling(at);
    }

    /// <summary>The fewest nodes that exactly cover a contiguous range of shards, in shard order.</summary>
    public ImmutableArray<TreeNode> Cover(int firstShard, int endShard)
    {
        var nodes = ImmutableArray.CreateBuilder<TreeNode>();
        for (int shard = firstShard; shard < endShard;)
        {
            var node = new TreeNode(0, shard);
            while (node != Root && Covers(Parent(node)) is var (first, end) && first == shard && end <= endShard) node = Parent(node);
            nodes.Add(node);
            shard = Covers(node).End;
        }

        return nodes.ToImmutable();
    }

    /// <summary>
    /// How many sums wait for their neighbours at most, in whichever order they arrive, when each of some ranges of shards,
    /// in order and all of them together, is added up by itself as far as it holds whole subtrees.
    /// </summary>
    public int MostWaiting(IReadOnlyList<(int First, int End)> ranges) => MostWaiting(Root, ranges).Count;

    private (int Count, bool IsOne) MostWaiting(TreeNode node, IReadOnlyList<(int First, int End)> ranges)
    {
        var (first, end) = Covers(node);
        if (ranges.Any(range => range.First <= first && end <= range.End)) return (1, true);
        TreeNode left = new(node.Level - 1, 2 * node.Index), right = Sibling(left);
        var whole = MostWaiting(left, ranges);
        if (!Contains(right)) return whole;
        var other = MostWaiting(right, ranges);
        // Of two that come as one piece each, the second is added to the first.
        return (whole.IsOne && other.IsOne ? 1 : whole.Count + other.Count, false);
    }
}
