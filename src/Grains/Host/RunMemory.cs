using System.Collections.Concurrent;
using System.Numerics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Host;

/// <summary>What a run needs of one silo's memory, by role, in bytes.</summary>
/// <param name="Process">The program itself: .NET, Orleans, libtorch.</param>
/// <param name="Replica">Parameters of the copies that devices compute with, and bf16's gradient of a micro-batch.</param>
/// <param name="Activations">One micro-batch on each device.</param>
/// <param name="GradientSums">Gradients that are accumulated and added up.</param>
/// <param name="Partitions">Parameters and moments of the partitions held.</param>
/// <param name="WaitingSums">What has arrived for them and waits to be added.</param>
/// <param name="Transfer">Blocks under way.</param>
/// <param name="Snapshot">What a checkpoint that is being written holds besides, at most, where there is room for it: no run needs it.</param>
public sealed record SiloNeed(long Process, long Replica, long Activations, long GradientSums, long Partitions, long WaitingSums, long Transfer, long Snapshot)
{
    /// <summary>While it trains.</summary>
    public long TrainingBytes => Process + Replica + Activations + GradientSums + Partitions + WaitingSums + Transfer;

    /// <summary>While it trains beside a checkpoint that is being written.</summary>
    public long MostBytes => TrainingBytes + Snapshot;
}

/// <summary>
/// What a run needs of memory: a function of its spec, its architecture and how many silos share it, known before anything
/// is taken. docs/memory.md says the same in words.
/// </summary>
/// <param name="spec">The run.</param>
/// <param name="config">Its architecture.</param>
/// <param name="longestRecord">Tokens of the longest record, untruncated; 0 when unknown.</param>
public sealed class RunMemory(RunSpec spec, HuggingFaceConfig config, int longestRecord)
{
    /// <summary>A silo without a run: .NET, Orleans and libtorch, as measured (bench memory).</summary>
    public const long ProcessBytes = 260L << 20;

    /// <summary>Blocks under way within a silo, and twice as many where they also cross the wire: as measured (bench memory).</summary>
    public const long TransferBytes = 64L << 20;

    private readonly ModelPlan _plan = new(spec, config);

    // Silos are mostly alike, and a run asks for each of them at every step.
    private readonly ConcurrentDictionary<(int Silos, int CpuDevices), SiloNeed> _needs = new();

    public RunSpec Spec => spec;

    /// <summary>What one silo needs.</summary>
    /// <param name="silos">How many hold the run's partitions, this one included.</param>
    /// <param name="cpuDevices">How many devices of the silo compute in its own memory.</param>
    public SiloNeed On(int silos, int cpuDevices) => _needs.GetOrAdd((silos, cpuDevices), _ => Compute(silos, cpuDevices));

    private SiloNeed Compute(int silos, int cpuDevices)
    {
        int shards = (spec.Shards + silos - 1) / silos;
        int computing = Math.Min(cpuDevices, shards);
        long held = HeldParameters(silos, Math.Min(silos, PartitionPlacement.Copies));
        int sums = Math.Max(1, computing) + BitOperations.Log2((uint)shards);
        var shares = ShardPlacement.Shares(spec.Shards, [.. Enumerable.Range(0, silos).Select(silo => new DeviceName($"{silo}", ""))]);
        int waiting = _plan.Tree.MostWaiting([.. shares.Select(share => (share.FirstShard, share.EndShard))]);
        return new SiloNeed(
            ProcessBytes,
            computing * Parameters * (Of(MemoryRole.Replica) + Of(MemoryRole.MicroBatchGradient)),
            computing * ActivationMemory.Bytes(config, spec, Columns),
            sums * Parameters * Of(MemoryRole.GradientSum),
            held * Of(MemoryRole.Partition),
            waiting * held * Of(MemoryRole.WaitingSum),
            Math.Min(silos == 1 ? TransferBytes : 2 * TransferBytes, 4 * Parameters * sizeof(float)),
            held * Of(MemoryRole.Snapshot));
    }

    /// <summary>What a device that computes in the silo's memory takes of it.</summary>
    public long DeviceBytes => (Parameters * (Of(MemoryRole.Replica) + Of(MemoryRole.MicroBatchGradient) + Of(MemoryRole.GradientSum))) + ActivationMemory.Bytes(config, spec, Columns);

    /// <summary>What a copy of a partition of so many parameters takes, with the sums of a step.</summary>
    public static long PartitionBytes(long parameters) => parameters * (MemoryRole.Partition.Fp32Bytes + MemoryRole.WaitingSum.Fp32Bytes);

    /// <summary>What a copy of a partition of so many parameters takes besides, while a checkpoint of it is written and training goes on.</summary>
    public static long SnapshotBytes(long parameters) => parameters * MemoryRole.Snapshot.Fp32Bytes;

    /// <summary>Tokens of a micro-batch's rows at most.</summary>
    public int Columns
    {
        get
        {
            int limit = _plan.SequenceLimit;
            return spec.Padding == Padding.MaxLength || longestRecord == 0 ? limit : Math.Min(limit, longestRecord);
        }
    }

    /// <summary>The same run with other settings.</summary>
    public RunMemory With(RunSpec other) => new(other, config, longestRecord);

    private int Of(MemoryRole role) => role.Bytes(spec.Precision);

    private long Parameters => _plan.Layout.ParameterCount;

    // Partitions are spread evenly by number: a silo holds as many as any, and no more than there are parameters.
    private long HeldParameters(int silos, int copies)
    {
        int places = Math.Min(_plan.Layout.BlockCount, PartitionPlacement.MostPartitions);
        long placeBlocks = (_plan.Layout.BlockCount + places - 1) / places;
        long quota = (places + silos - 1) / silos;
        return Math.Min(Parameters, copies * quota * placeBlocks * ParameterLayout.BlockLength);
    }
}
