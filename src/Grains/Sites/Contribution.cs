using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>What a silo contributes to a step: the sum over a tree node's shards.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="Node">The node.</param>
/// <param name="Shards">Its shards.</param>
/// <param name="Totals">What they put in, in shard order: with the first block, and with no other.</param>
/// <param name="Exchange">What the sum is rounded to, and crosses the network in.</param>
internal sealed record Contribution(Fence Fence, TreeNode Node, ShardRange Shards, ImmutableArray<ShardTotals> Totals, Precision Exchange);
