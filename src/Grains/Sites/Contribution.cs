using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>What a silo contributes to a step: the sum over a tree node's shards.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="Node">The node.</param>
/// <param name="Totals">What its shards put in, in shard order.</param>
internal sealed record Contribution(Fence Fence, TreeNode Node, ImmutableArray<ShardTotals> Totals);
