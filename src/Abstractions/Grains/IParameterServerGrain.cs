using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>Where a partition is and which blocks it owns. Its blocks are the run's for ever; who holds it changes with the cluster.</summary>
/// <param name="Index">Which partition.</param>
/// <param name="FirstBlock">Its first block.</param>
/// <param name="BlockCount">How many blocks it has.</param>
/// <param name="Holders">The silos that hold it, alike to the last bit: the first is asked first, the others stand by.</param>
[GenerateSerializer, Immutable, Alias("genslm.PartitionPlace")]
public sealed record PartitionPlace(
    [property: Id(0)] int Index, [property: Id(1)] int FirstBlock, [property: Id(2)] int BlockCount, [property: Id(3)] ImmutableArray<string> Holders)
{
    /// <summary>The grain key of the partition's copy on a silo.</summary>
    public string Key(string runId, string silo) => $"{runId}/partition-{Index}@{silo}";
}

/// <summary>All partitions of a run, in block order.</summary>
[GenerateSerializer, Immutable, Alias("genslm.PartitionMap")]
public sealed record PartitionMap([property: Id(0)] ImmutableArray<PartitionPlace> Places)
{
    public PartitionPlace Owner(int block)
    {
        foreach (var place in Places)
            if (block >= place.FirstBlock && block < place.FirstBlock + place.BlockCount) return place;
        throw new ArgumentOutOfRangeException(nameof(block), block, "no partition owns this block");
    }
}

/// <summary>A node of the reduction tree on the wire.</summary>
[GenerateSerializer, Immutable, Alias("genslm.TreePlace")]
public readonly record struct TreePlace([property: Id(0)] int Level, [property: Id(1)] int Index);

/// <summary>Which of a partition's three vectors.</summary>
public enum BlockKind
{
    Parameters,
    FirstMoment,
    SecondMoment,
}

/// <summary>What a partition is to hold.</summary>
/// <param name="Fence">Run, the step whose parameters it starts with, generation.</param>
/// <param name="Place">Its blocks.</param>
/// <param name="Context">The run.</param>
/// <param name="Source">Where its values come from.</param>
/// <param name="CopyFrom">The silo whose copy is taken, when <paramref name="Source"/> is a holder.</param>
/// <param name="Last">The last step's record, when it is to be remembered.</param>
[GenerateSerializer, Immutable, Alias("genslm.PartitionSetup")]
public sealed record PartitionSetup(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] PartitionPlace Place,
    [property: Id(2)] RunContext Context,
    [property: Id(3)] PartitionSource Source,
    [property: Id(4)] string CopyFrom,
    [property: Id(5)] StepRecord? Last);

/// <summary>Where a new copy of a partition takes its values from.</summary>
public enum PartitionSource
{
    /// <summary>They are put block by block.</summary>
    Put,

    /// <summary>The parameters follow from the run's seed; the moments are 0.</summary>
    Seed,

    /// <summary>Copied from another holder while the next step accumulates.</summary>
    Holder,
}

/// <summary>What a copy of a partition has of the step being accumulated.</summary>
/// <param name="SquaredNorms">The reduced gradient's squared norm, block by block, in double precision; empty while shards are missing.</param>
/// <param name="Missing">Shards without a contribution.</param>
/// <param name="Totals">What the shards that contributed put in; of the first partition alone, which keeps it for all.</param>
[GenerateSerializer, Immutable, Alias("genslm.ReductionReport")]
public sealed record ReductionReport(
    [property: Id(0)] ImmutableArray<double> SquaredNorms,
    [property: Id(1)] ImmutableArray<ShardRange> Missing,
    [property: Id(2)] ImmutableArray<ShardTotals> Totals)
{
    /// <summary>XXH3-64 of the reduced gradient, block by block: what copies of a partition are compared by, for a norm hides a low bit.</summary>
    [Id(3)] public ImmutableArray<ulong> Checksums { get; init; } = [];
}

/// <summary>A contribution as it arrived at a copy of a partition.</summary>
/// <param name="Block">Which block.</param>
/// <param name="Node">The shards whose sum it is.</param>
/// <param name="Checksum">XXH3-64 of its values.</param>
[GenerateSerializer, Immutable, Alias("genslm.ContributionDigest")]
public readonly record struct ContributionDigest([property: Id(0)] int Block, [property: Id(1)] TreePlace Node, [property: Id(2)] ulong Checksum);

/// <summary>What is to be remembered of an applied step, whoever dies next.</summary>
/// <param name="Progress">The run's progress after the step.</param>
/// <param name="Line">Its line of metrics.jsonl.</param>
/// <param name="Shards">What each shard put in.</param>
/// <param name="Skipped">Its gradient was not finite and it changed nothing.</param>
[GenerateSerializer, Immutable, Alias("genslm.StepRecord")]
public sealed record StepRecord(
    [property: Id(0)] TrainingProgress Progress,
    [property: Id(1)] MetricLine Line,
    [property: Id(2)] ImmutableArray<ShardTotals> Shards,
    [property: Id(3)] bool Skipped);

/// <summary>What one application of Adam needs besides the gradient.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="LearningRate">Of this step.</param>
/// <param name="GradientFactor">Window factor times clip factor.</param>
/// <param name="Record">What the step was; when skipped, parameters and moments stay as they are and the step is only counted.</param>
[GenerateSerializer, Immutable, Alias("genslm.ApplyRequest")]
public sealed record ApplyRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] double LearningRate,
    [property: Id(2)] double GradientFactor,
    [property: Id(3)] StepRecord Record);

/// <summary>What a copy of a partition is, for a driver that takes over.</summary>
/// <param name="Holds">Whether it holds the run's parameters at all.</param>
/// <param name="Version">Optimizer steps that its parameters have seen.</param>
/// <param name="Applied">The request that led to this version; null when it was restored.</param>
[GenerateSerializer, Immutable, Alias("genslm.PartitionStatus")]
public sealed record PartitionStatus([property: Id(0)] bool Holds, [property: Id(1)] long Version, [property: Id(2)] ApplyRequest? Applied)
{
    /// <summary>The checkpoint that an earlier version is pinned for: it has not been written yet, as far as this copy knows.</summary>
    [Id(3)] public CheckpointRequest? Pinned { get; init; }

    /// <summary>Whether the silo has no memory to keep that version beside later ones: until the checkpoint is written no step is to be applied.</summary>
    [Id(4)] public bool LacksRoom { get; init; }
}

/// <summary>
/// One copy of one partition of the parameter server: key <c>run/partition-i@silo</c>. Holds parameters and Adam's moments
/// of a run of blocks, adds up the contributions of a step along the fixed tree, and applies Adam. All copies of a
/// partition are fed alike, so they are alike. Every call is safe to repeat.
/// </summary>
/// <remarks>
/// What decides (set up, apply, pin, release) is fenced by the generation: only the run's latest driver may. A contribution or
/// a fetched block is fenced by its step alone, since it is the same whoever asked for it.
/// </remarks>
[Alias("genslm.IParameterServerGrain")]
public interface IParameterServerGrain : IGrainWithStringKey
{
    [Alias("setUp"), ResponseTimeout(LongCall.Timeout)]
    Task SetUpAsync(PartitionSetup setup);

    /// <summary>Puts one block of one vector, when restoring.</summary>
    [Alias("put")]
    Task PutAsync(Fence fence, BlockKind kind, [Immutable] Block block);

    /// <summary>
    /// One block of one vector, after exactly <c>Fence.Step</c> optimizer steps: the copy's own version or the one that is pinned. It crosses
    /// the network in <paramref name="precision"/>.
    /// </summary>
    [Alias("fetch")]
    Task<Block> FetchAsync(Fence fence, BlockKind kind, int block, Precision precision);

    /// <summary>Contributes the sum over a tree node's shards to the step <c>Fence.Step</c>; the totals come with the first block alone.</summary>
    [Alias("push")]
    Task PushAsync(Fence fence, TreePlace node, ImmutableArray<ShardTotals> totals, [Immutable] Block gradient);

    /// <summary>One block of the step's reduced gradient, for a copy that lacks contributions.</summary>
    [Alias("fetchReduced")]
    Task<Block> FetchReducedAsync(Fence fence, int block, Precision precision);

    /// <summary>
    /// Takes the step's reduced gradient from the copy on another silo: this one was filled, or cut off, while the step
    /// accumulated, and lacks contributions that the other has.
    /// </summary>
    [Alias("takeReduced"), ResponseTimeout(LongCall.Timeout)]
    Task TakeReducedAsync(Fence fence, string from);

    /// <summary>What has arrived for the step at hand: asked when two copies differ, to find out by whose doing.</summary>
    [Alias("describeContributions")]
    Task<ImmutableArray<ContributionDigest>> DescribeContributionsAsync(Fence fence);

    /// <summary>Ends the accumulation of the step when all contributions are there; says which are not otherwise.</summary>
    [Alias("reduce"), ResponseTimeout(LongCall.Timeout)]
    Task<ReductionReport> ReduceAsync(Fence fence);

    /// <summary>Applies the reduced gradient once, however often it is asked.</summary>
    [Alias("apply"), ResponseTimeout(LongCall.Timeout)]
    Task ApplyAsync(ApplyRequest request);

    /// <summary>Ends when all of the copy's values have arrived.</summary>
    /// <exception cref="StaleMessageException">It is not held here, or its source was lost.</exception>
    [Alias("filled"), ResponseTimeout(LongCall.Timeout)]
    Task FilledAsync(Fence fence);

    /// <summary>What this copy is. A driver that takes over makes its generation known by asking.</summary>
    [Alias("describe")]
    Task<PartitionStatus> DescribeAsync(Fence fence);

    /// <summary>
    /// Keeps the values after <c>snapshot.Fence.Step</c> steps for a checkpoint, while later steps are applied: a block is copied when the
    /// first of them changes it, where there is room (<see cref="PartitionStatus.LacksRoom"/>). The request is remembered, whoever dies next. One version at a time.
    /// </summary>
    [Alias("pin"), ResponseTimeout(LongCall.Timeout)]
    Task PinAsync(CheckpointRequest snapshot);

    /// <summary>Gives back what was kept for the checkpoint of <c>Fence.Step</c>.</summary>
    [Alias("unpin"), ResponseTimeout(LongCall.Timeout)]
    Task UnpinAsync(Fence fence);

    /// <summary>Lets go of what the run has here.</summary>
    [Alias("release")]
    Task ReleaseAsync(Fence fence);
}
