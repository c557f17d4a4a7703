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

    /// <summary>The silo and device that computed it. Empty in what was stored before it was kept.</summary>
    [Id(8)] public string Origin { get; init; } = "";
}

/// <summary>What a device is doing for a run.</summary>
/// <param name="MicroBatchesDone">Since the replica was built.</param>
/// <param name="BusySeconds">How long the device has been at the work at hand.</param>
/// <param name="IsStuck">It has made no progress for long and is given no work.</param>
[GenerateSerializer, Immutable, Alias("genslm.GpuStatus")]
public sealed record GpuStatus([property: Id(2)] long MicroBatchesDone, [property: Id(3)] double BusySeconds, [property: Id(4)] bool IsStuck);

/// <summary>
/// A device of a silo, working for a run: key <c>run/device@silo</c>. It has a replica of the model; the shards that its silo is
/// given (<see cref="ISiteGrain"/>) take turns on it and accumulate their micro-batch gradients.
/// </summary>
[Alias("genslm.IGpuGrain")]
public interface IGpuGrain : IGrainWithStringKey
{
    /// <summary>Opens the data and builds the replica; safe to repeat.</summary>
    /// <exception cref="StaleMessageException">The run has been closed on this silo with this generation.</exception>
    [Alias("prepare"), Orleans.Concurrency.AlwaysInterleave, ResponseTimeout(LongCall.Timeout)]
    Task PrepareAsync(Fence fence, RunContext context);

    /// <summary>Answers at once, whatever the device is doing.</summary>
    [Alias("status"), Orleans.Concurrency.AlwaysInterleave]
    Task<GpuStatus> GetStatusAsync();

    /// <summary>Ends the work at hand after its micro-batch and disposes every tensor the run had on this device.</summary>
    [Alias("release"), Orleans.Concurrency.AlwaysInterleave, ResponseTimeout(LongCall.Timeout)]
    Task ReleaseAsync(Fence fence);
}
