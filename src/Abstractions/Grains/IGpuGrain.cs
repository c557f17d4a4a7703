using System.Collections.Immutable;

namespace GenSlmOrleans.Abstractions;

/// <summary>What a GPU grain needs to know about a run before its first window.</summary>
/// <param name="RunId">The run.</param>
/// <param name="Spec">Its spec.</param>
/// <param name="ModelConfig">The architecture, as a Hugging Face config.json.</param>
/// <param name="SequenceLimit">Tokens a record is cut to.</param>
[GenerateSerializer, Immutable, Alias("genslm.RunContext")]
public sealed record RunContext(
    [property: Id(0)] string RunId,
    [property: Id(1)] RunSpec Spec,
    [property: Id(2)] string ModelConfig,
    [property: Id(3)] int SequenceLimit);

/// <summary>Shards <paramref name="First"/>…<paramref name="End"/> - 1.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ShardRange")]
public readonly record struct ShardRange([property: Id(0)] int First, [property: Id(1)] int End)
{
    public int Count => End - First;

    public override string ToString() => Count == 1 ? $"shard {First}" : $"shards {First}-{End - 1}";
}

/// <summary>An accumulation window to compute, of step <c>Fence.Step</c>.</summary>
/// <param name="Fence">Run, step, generation.</param>
/// <param name="Shards">Whose windows.</param>
/// <param name="Partitions">Where parameters come from and sums go to.</param>
/// <param name="Again">Compute even what this device has contributed to the step before: it is missing somewhere.</param>
[GenerateSerializer, Immutable, Alias("genslm.WindowRequest")]
public sealed record WindowRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] ShardRange Shards,
    [property: Id(2)] PartitionMap Partitions,
    [property: Id(3)] bool Again);

/// <summary>What one shard put into a window. Losses are sums over tokens, in double precision.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ShardTotals")]
public sealed record ShardTotals(
    [property: Id(0)] int Shard,
    [property: Id(1)] double LossSum,
    [property: Id(2)] double MeanLossSum,
    [property: Id(3)] long LossTokens,
    [property: Id(4)] int MicroBatches,
    [property: Id(5)] long RealTokens,
    [property: Id(6)] long PaddingTokens)
{
    /// <summary>SHA-256 over the ids of the records that were computed, in their order: the shard's digest in the run's ledger; 32 bytes.</summary>
    [Id(7)] public byte[] RecordsDigest { get; init; } = [];
}

/// <summary>What a device did of a window.</summary>
/// <param name="Shards">The shards it kept: their contributions are with the partitions.</param>
/// <param name="MicroBatches">Micro-batches computed.</param>
/// <param name="Repeated">How many of those this device had computed before in the same step.</param>
[GenerateSerializer, Immutable, Alias("genslm.WindowReport")]
public sealed record WindowReport([property: Id(0)] ShardRange Shards, [property: Id(1)] int MicroBatches, [property: Id(2)] int Repeated);

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
[GenerateSerializer, Immutable, Alias("genslm.ValidationRequest")]
public sealed record ValidationRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] int FirstBatch,
    [property: Id(2)] int EndBatch,
    [property: Id(3)] PartitionMap Partitions)
{
    /// <summary>The records that the batches are made of.</summary>
    [Id(4)] public EvaluationSet Set { get; init; }

    /// <summary>The checkpoint whose parameters they are, instead of the partitions' of that version; empty: theirs.</summary>
    [Id(5)] public string Checkpoint { get; init; } = "";
}

/// <summary>Summed loss and counted tokens of each validation batch, in order.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ValidationReport")]
public sealed record ValidationReport([property: Id(0)] ImmutableArray<double> LossSums, [property: Id(1)] ImmutableArray<long> LossTokens);

/// <summary>What a GPU grain is doing.</summary>
/// <param name="Step">The step at hand, or the last one.</param>
/// <param name="Shards">The window at hand; none when idle.</param>
/// <param name="MicroBatchesDone">Since the replica was built.</param>
/// <param name="BusySeconds">How long the device has been at the work at hand.</param>
[GenerateSerializer, Immutable, Alias("genslm.GpuStatus")]
public sealed record GpuStatus(
    [property: Id(0)] long Step,
    [property: Id(1)] ShardRange Shards,
    [property: Id(2)] long MicroBatchesDone,
    [property: Id(3)] double BusySeconds);

/// <summary>
/// A device of a silo, working for a run: key <c>run/device@silo</c>. It owns the data shards that are placed on it,
/// which take turns on its replica of the model, and accumulates their micro-batch gradients.
/// </summary>
[Alias("genslm.IGpuGrain")]
public interface IGpuGrain : IGrainWithStringKey
{
    /// <summary>Opens the data and builds the replica; safe to repeat.</summary>
    [Alias("prepare"), Orleans.Concurrency.AlwaysInterleave, ResponseTimeout(LongCall.Timeout)]
    Task PrepareAsync(RunContext context);

    /// <summary>Computes a window and pushes its gradient, block by block, to all holders of the partitions.</summary>
    [Alias("accumulate"), ResponseTimeout(LongCall.Timeout)]
    Task<WindowReport> AccumulateAsync(WindowRequest request);

    /// <summary>Gives up half of the shards of the window at hand that have not been started, from its end; none when there are none.</summary>
    [Alias("yield"), Orleans.Concurrency.AlwaysInterleave]
    Task<ShardRange> YieldAsync(long step);

    [Alias("validate"), ResponseTimeout(LongCall.Timeout)]
    Task<ValidationReport> ValidateAsync(ValidationRequest request);

    /// <summary>Looks for the record that makes a window's gradient not finite, one record at a time; null when there is none.</summary>
    [Alias("findNonFinite"), ResponseTimeout(LongCall.Timeout)]
    Task<NonFiniteRecord?> FindNonFiniteAsync(WindowRequest request);

    /// <summary>Answers at once, whatever the device is doing.</summary>
    [Alias("status"), Orleans.Concurrency.AlwaysInterleave]
    Task<GpuStatus> GetStatusAsync();

    /// <summary>Ends the work at hand after its micro-batch and disposes every tensor the run had on this device.</summary>
    [Alias("release"), Orleans.Concurrency.AlwaysInterleave, ResponseTimeout(LongCall.Timeout)]
    Task ReleaseAsync();
}
