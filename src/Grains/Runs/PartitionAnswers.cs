using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>All copies of a partition are gone: the run has to go back to its last checkpoint.</summary>
internal sealed class PartitionsLostException(string message) : Exception(message);

/// <summary>The partitions' sums of one step.</summary>
/// <param name="SquaredNorms">Block by block; empty while shards are missing.</param>
/// <param name="Missing">Shards whose contribution is missing in a partition.</param>
/// <param name="Totals">What each shard put in, in shard order.</param>
internal sealed record Reduction(ImmutableArray<double> SquaredNorms, ImmutableArray<ShardRange> Missing, ImmutableArray<ShardTotals> Totals);

/// <summary>What an earlier driver left in the partitions.</summary>
/// <param name="Step">The step that they are after.</param>
/// <param name="Record">Its record, when a step led there.</param>
/// <param name="Pinned">The checkpoint that an earlier version is pinned for, if any.</param>
/// <param name="IsPinWhole">Whether every partition still has that version.</param>
internal sealed record AdoptedPartitions(long Step, StepRecord? Record, CheckpointRequest? Pinned, bool IsPinWhole);
