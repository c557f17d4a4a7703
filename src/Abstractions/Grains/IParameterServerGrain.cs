using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>Where a partition is and which blocks it owns.</summary>
[GenerateSerializer, Immutable, Alias("genslm.PartitionPlace")]
public sealed record PartitionPlace(
    [property: Id(0)] int Index, [property: Id(1)] string Silo, [property: Id(2)] int FirstBlock, [property: Id(3)] int BlockCount)
{
    /// <summary>The partition's grain key within a run.</summary>
    public string Key(string runId) => $"{runId}/partition-{Index}@{Silo}";
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
/// <param name="FromSeed">Fill the parameters from the run's seed; otherwise blocks are put one by one.</param>
[GenerateSerializer, Immutable, Alias("genslm.PartitionSetup")]
public sealed record PartitionSetup(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] PartitionPlace Place,
    [property: Id(2)] RunContext Context,
    [property: Id(3)] bool FromSeed);

/// <summary>The reduced gradient's squared norm, block by block, in double precision.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ReductionReport")]
public sealed record ReductionReport([property: Id(0)] ImmutableArray<double> SquaredNorms);

/// <summary>What one application of Adam needs besides the gradient.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ApplyRequest")]
public sealed record ApplyRequest(
    [property: Id(0)] Fence Fence, [property: Id(1)] double LearningRate, [property: Id(2)] double GradientFactor);

/// <summary>
/// One partition of the parameter server: key <c>run/partition-i@silo</c>. Holds parameters and Adam's moments of a run
/// of blocks, adds up the contributions of a step along the fixed tree, and applies Adam. Every call is safe to repeat.
/// </summary>
[Alias("genslm.IParameterServerGrain")]
public interface IParameterServerGrain : IGrainWithStringKey
{
    [Alias("setUp"), ResponseTimeout(LongCall.Timeout)]
    Task SetUpAsync(PartitionSetup setup);

    /// <summary>Puts one block of one vector, when restoring.</summary>
    [Alias("put")]
    Task PutAsync(Fence fence, BlockKind kind, [Immutable] Block block);

    /// <summary>One block of one vector, after exactly <c>Fence.Step</c> optimizer steps.</summary>
    [Alias("fetch")]
    Task<Block> FetchAsync(Fence fence, BlockKind kind, int block);

    /// <summary>Contributes the sum over a tree node's shards to the step <c>Fence.Step</c>.</summary>
    [Alias("push")]
    Task PushAsync(Fence fence, TreePlace node, [Immutable] Block gradient);

    /// <summary>Ends the accumulation of the step, when all contributions are there.</summary>
    [Alias("reduce"), ResponseTimeout(LongCall.Timeout)]
    Task<ReductionReport> ReduceAsync(Fence fence);

    /// <summary>Applies the reduced gradient once, however often it is asked.</summary>
    [Alias("apply"), ResponseTimeout(LongCall.Timeout)]
    Task ApplyAsync(ApplyRequest request);

    [Alias("release")]
    Task ReleaseAsync();
}
