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

/// <summary>An accumulation window to compute: shards <paramref name="FirstShard"/>…<paramref name="EndShard"/> - 1 of step <c>Fence.Step</c>.</summary>
[GenerateSerializer, Immutable, Alias("genslm.WindowRequest")]
public sealed record WindowRequest(
    [property: Id(0)] Fence Fence,
    [property: Id(1)] int FirstShard,
    [property: Id(2)] int EndShard,
    [property: Id(3)] PartitionMap Partitions);

/// <summary>What one shard put into a window. Losses are sums over tokens, in double precision.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ShardTotals")]
public sealed record ShardTotals(
    [property: Id(0)] int Shard,
    [property: Id(1)] double LossSum,
    [property: Id(2)] double MeanLossSum,
    [property: Id(3)] long LossTokens,
    [property: Id(4)] int MicroBatches,
    [property: Id(5)] long RealTokens,
    [property: Id(6)] long PaddingTokens);

[GenerateSerializer, Immutable, Alias("genslm.WindowReport")]
public sealed record WindowReport([property: Id(0)] ImmutableArray<ShardTotals> Shards);

/// <summary>What a loss is measured on, and with which parameters.</summary>
public enum EvaluationSet
{
    /// <summary>The validation records, with the partitions' parameters.</summary>
    Validation,

    /// <summary>The test records, with the parameters that are exported: the best checkpoint's.</summary>
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
    [Id(4)] public EvaluationSet Set { get; init; }
}

/// <summary>Summed loss and counted tokens of each validation batch, in order.</summary>
[GenerateSerializer, Immutable, Alias("genslm.ValidationReport")]
public sealed record ValidationReport([property: Id(0)] ImmutableArray<double> LossSums, [property: Id(1)] ImmutableArray<long> LossTokens);

/// <summary>What a GPU grain is doing.</summary>
[GenerateSerializer, Immutable, Alias("genslm.GpuStatus")]
public sealed record GpuStatus(
    [property: Id(0)] long Step,
    [property: Id(1)] int FirstShard,
    [property: Id(2)] int EndShard,
    [property: Id(3)] long MicroBatchesDone,
    [property: Id(4)] double BusySeconds);

/// <summary>
/// A device of a silo, working for a run: key <c>run/device@silo</c>. It owns the data shards that are placed on it,
/// which take turns on its replica of the model, and accumulates their micro-batch gradients.
/// </summary>
[Alias("genslm.IGpuGrain")]
public interface IGpuGrain : IGrainWithStringKey
{
    /// <summary>Opens the data and builds the replica; safe to repeat.</summary>
    [Alias("prepare"), ResponseTimeout(LongCall.Timeout)]
    Task PrepareAsync(RunContext context);

    /// <summary>Computes a window and pushes its gradient, block by block, to the partitions.</summary>
    [Alias("accumulate"), ResponseTimeout(LongCall.Timeout)]
    Task<WindowReport> AccumulateAsync(WindowRequest request);

    [Alias("validate"), ResponseTimeout(LongCall.Timeout)]
    Task<ValidationReport> ValidateAsync(ValidationRequest request);

    /// <summary>Answers at once, whatever the device is doing.</summary>
    [Alias("status"), Orleans.Concurrency.AlwaysInterleave]
    Task<GpuStatus> GetStatusAsync();

    /// <summary>Disposes the replica: every tensor the run had on this device.</summary>
    [Alias("release"), ResponseTimeout(LongCall.Timeout)]
    Task ReleaseAsync();
}
