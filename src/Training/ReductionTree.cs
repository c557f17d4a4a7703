using System.Collections.Immutable;
using System.Numerics;

namespace GenSlmOrleans.Training;

/// <summary>A node of the reduction tree: level 0 are the shards.</summary>
public readonly record struct TreeNode(int Level, int Index);

/// <summary>
/// The one fixed binary tree along which the shards' gradients are added, for any number of shards. Node (l, i) covers the
/// shards from i·2^l to (i+1)·2^l, as far as there are any; its value is its left child's plus its right child's.
/// </summary>
public sealed class ReductionTree
{
    public ReductionTree(int shardCount)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shardCount, 1);
        ShardCount = shardCount;
        Root = new TreeNode(BitOperations.Log2((uint)shardCount - 1 << 1 | 1), 0);
    }

    public int ShardCount { get; }

    public TreeNode Root { get; }

    /// <summary>The shards a node covers: from First to End - 1.</summary>
    public (int First, int End) Covers(TreeNode node) =>
        ((int)Math.Min((long)node.Index << node.Level, ShardCount), (int)Math.Min(((long)node.Index + 1) << node.Level, ShardCount));

    public TreeNode Parent(TreeNode node) => new(node.Level + 1, node.Index >> 1);

    public TreeNode Sibling(TreeNode node) => new(node.Level, node.Index ^ 1);

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
}
