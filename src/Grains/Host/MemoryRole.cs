using System.Collections.Immutable;

namespace GenSlmOrleans.Grains.Host;

/// <summary>One use of a silo's memory that grows with the model: a row of the table in docs/memory.md.</summary>
/// <param name="Name">What it is.</param>
/// <param name="Fp32Bytes">Bytes per parameter of a run in fp32.</param>
/// <param name="Bf16Bytes">Bytes per parameter of a run in bf16.</param>
/// <param name="HowOften">Of how many parameters, and how often.</param>
public sealed record MemoryRole(string Name, int Fp32Bytes, int Bf16Bytes, string HowOften)
{
    /// <summary>The copy of the model that a device computes with.</summary>
    public static MemoryRole Replica { get; } = new("replica: parameters", 4, 2, "all, for each device");

    /// <summary>What one backward leaves, before it is added in fp32.</summary>
    public static MemoryRole MicroBatchGradient { get; } = new("replica: gradient of a micro-batch", 0, 2, "all, for each device");

    /// <summary>Gradients that shards accumulate into and that are added up along the tree.</summary>
    public static MemoryRole GradientSum { get; } = new("gradient sums", 4, 4, "all, for each device, and once more for each doubling of the silo's shards");

    /// <summary>Parameters and both moments of Adam, where they are kept and updated.</summary>
    public static MemoryRole Partition { get; } = new("partitions: parameters and two moments", 12, 12, "those of the partitions held: all with one silo or two, 2/N of them with N");

    /// <summary>Sums from other silos at the partition, until those they are added to have come.</summary>
    public static MemoryRole WaitingSum { get; } = new("partitions: sums that are being reduced", 4, 4, "those of the partitions held, once with one silo or two and up to N - 1 times with N");

    /// <summary>What a checkpoint still has to read of blocks that training has gone on with.</summary>
    public static MemoryRole Snapshot { get; } = new("checkpoint: blocks as of its step", 12, 12, "those of the partitions held, at most, while a checkpoint is written and where there is room");

    public static ImmutableArray<MemoryRole> All { get; } = [Replica, MicroBatchGradient, GradientSum, Partition, WaitingSum, Snapshot];

    /// <summary>Bytes per parameter of a run that computes in a precision.</summary>
    public int Bytes(Abstractions.Precision precision) => precision == Abstractions.Precision.Bf16 ? Bf16Bytes : Fp32Bytes;
}
