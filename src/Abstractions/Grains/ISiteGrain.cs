using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>An accumulation window for a silo to compute, of step <c>Fence.Step</c>.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="Shards">Whose windows.</param>
/// <param name="Partitions">Where parameters come from and sums go to.</param>
/// <param name="Again">Compute even what this silo has contributed to the step before: it is missing somewhere.</param>
/// <param name="Devices">The silo's devices that are to work; they take the shards one after the other.</param>
[GenerateSerializer, Immutable, Alias("genslm.WindowRequest")]
public sealed record WindowRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] ShardRange Shards,
    [property: Id(2)] PartitionMap Partitions,
    [property: Id(3)] bool Again,
    [property: Id(4)] ImmutableArray<string> Devices);

/// <summary>What a silo did of a window.</summary>
/// <param name="Repeated">Micro-batches computed that this silo had computed before in the same step.</param>
/// <param name="SetAside">Devices that made no progress and were given up; the others did their shards.</param>
[GenerateSerializer, Immutable, Alias("genslm.WindowReport")]
public sealed record WindowReport([property: Id(0)] int Repeated, [property: Id(1)] ImmutableArray<string> SetAside);

/// <summary>A record whose gradient is not a finite number.</summary>
/// <param name="Shard">Its shard.</param>
/// <param name="Record">Its place in the data, from 0.</param>
[GenerateSerializer, Immutable, Alias("genslm.NonFiniteRecord")]
public sealed record NonFiniteRecord([property: Id(0)] int Shard, [property: Id(1)] int Record);

/// <summary>What a loss is measured on.</summary>
public enum EvaluationSet
{
    /// <summary>The validation records.</summary>
    Validation,

    /// <summary>The test records.</summary>
    Test,
}

/// <summary>Validation batches <paramref name="FirstBatch"/>…<paramref name="EndBatch"/> - 1, with the parameters of version <c>Fence.Step</c>.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="FirstBatch">The first batch.</param>
/// <param name="EndBatch">The one after the last.</param>
/// <param name="Partitions">Where the parameters are.</param>
/// <param name="Devices">The silo's devices that are to work; they take the batches one after the other.</param>
[GenerateSerializer, Immutable, Alias("genslm.ValidationRequest")]
public sealed record ValidationRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] int FirstBatch,
    [property: Id(2)] int EndBatch,
    [property: Id(3)] PartitionMap Partitions,
    [property: Id(6)] ImmutableArray<string> Devices)
{
    /// <summary>The records that the batches are made of.</summary>
    [Id(4)] public EvaluationSet Set { get; init; }

    /// <summary>The checkpoint whose parameters they are, instead of the partitions' of that version; empty: theirs.</summary>
    [Id(5)] public string Checkpoint { get; init; } = "";
}

/// <summary>Summed loss and counted tokens of each validation batch, in order.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ValidationReport")]
public sealed record ValidationReport([property: Id(0)] ImmutableArray<double> LossSums, [property: Id(1)] ImmutableArray<long> LossTokens);

/// <summary>What a silo is doing for a run.</summary>
/// <param name="Step">The step at hand, or the last one.</param>
/// <param name="Shards">The window at hand; none when idle.</param>
[GenerateSerializer, Immutable, Alias("genslm.SiteStatus")]
public sealed record SiteStatus([property: Id(0)] long Step, [property: Id(1)] ShardRange Shards);

/// <summary>
/// The door to what one silo has of one run: key <c>run/site@silo</c>. The run grain gives it ranges of shards; its devices take
/// them one after the other, each block of parameters is fetched once, the sums of all devices are added here, along
/// the tree, and each is pushed once.
/// </summary>
[Alias("genslm.ISiteGrain")]
public interface ISiteGrain : IGrainWithStringKey
{
    /// <summary>Computes a window and pushes its gradient, block by block, to all holders of the partitions.</summary>
    /// <exception cref="DevicesStuckException">No device of the silo makes progress any more.</exception>
    [Alias("accumulate"), ResponseTimeout(LongCall.Timeout)]
    Task<WindowReport> AccumulateAsync(WindowRequest request);

    /// <summary>Gives up half of the shards of the window at hand that have not been started, from its end; none when there are none.</summary>
    [Alias("yield")]
    Task<ShardRange> YieldAsync(long step);

    /// <summary>Breaks the work at hand off, after its micro-batch: its shards are computed elsewhere, or not at all.</summary>
    [Alias("abandon")]
    Task AbandonAsync(Fence fence);

    /// <summary>The losses of batches of the validation or the test set.</summary>
    [Alias("validate"), ResponseTimeout(LongCall.Timeout)]
    Task<ValidationReport> ValidateAsync(ValidationRequest request);

    /// <summary>Looks for the record that makes a window's gradient not finite, one record at a time; null when there is none.</summary>
    [Alias("findNonFinite"), ResponseTimeout(LongCall.Timeout)]
    Task<NonFiniteRecord?> FindNonFiniteAsync(WindowRequest request);

    /// <summary>Answers at once, whatever the devices are doing.</summary>
    [Alias("status")]
    Task<SiteStatus> GetStatusAsync();

    /// <summary>Lets go of what the run has here besides the named partitions and devices: an earlier driver may have left it.</summary>
    /// <exception cref="SupersededException">The fence is of an earlier driver than one that has been here.</exception>
    [Alias("keep"), ResponseTimeout(LongCall.Timeout)]
    Task KeepAsync(Fence fence, ImmutableArray<int> partitions, ImmutableArray<string> devices);

    /// <summary>Lets go of everything the run has here; nothing of this generation or an earlier one is taken in any more.</summary>
    [Alias("close"), ResponseTimeout(LongCall.Timeout)]
    Task CloseAsync(Fence fence);
}
