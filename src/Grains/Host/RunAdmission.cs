using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Host;

/// <summary>A silo that a run could go to.</summary>
/// <param name="Name">Its name.</param>
/// <param name="CpuDevices">How many of its devices compute in its own memory; 0: its devices have memory of their own.</param>
/// <param name="Pools">What bounds its memory.</param>
/// <param name="ReservedBytes">What other runs have of it.</param>
public sealed record SiloRoom(string Name, int CpuDevices, ImmutableArray<MemoryPool> Pools, long ReservedBytes)
{
    /// <summary>The room that a silo's offer tells of, for a run.</summary>
    public static SiloRoom Of(SiloOffer offer, string runId) => new(
        offer.SiloName,
        offer.Devices.Count(device => device == "cpu"),
        offer.Memory,
        offer.Reserved.Where(reserved => reserved.RunId != runId).Sum(reserved => reserved.SizeBytes));
}

/// <summary>Which silos a run fits on.</summary>
/// <param name="Silos">Their names; none: the run cannot start.</param>
/// <param name="Refused">Why each other one has no room, a sentence.</param>
public sealed record Admission(ImmutableArray<string> Silos, ImmutableSortedDictionary<string, string> Refused)
{
    /// <summary>Whether there is a silo for the run.</summary>
    public bool IsAdmitted => !Silos.IsEmpty;
}

/// <summary>
/// Whether a run fits the cluster's memory, before any of it is taken: a pure function of what the run needs and what silos
/// have. Silos that share a pool (of one machine, or one control group) have it together.
/// </summary>
public static class RunAdmission
{
    // Nobody has more of them, and the search for how many would do ends.
    private const int MostSilos = 256;
    private const int ShortestSequence = 64;

    /// <summary>The silos that can take the run all at once: all, or those that are left when the ones that lack most stay out.</summary>
    public static Admission Decide(RunMemory run, IReadOnlyCollection<SiloRoom> silos)
    {
        var left = silos.OrderBy(silo => silo.Name, StringComparer.Ordinal).ToList();
        var refused = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        while (Worst(run, left) is { } shortage)
        {
            left.Remove(shortage.Silo);
            refused[shortage.Silo.Name] = Sentence(run, left.Count + 1, shortage);
        }

        return new Admission([.. left.Select(silo => silo.Name)], refused.ToImmutable());
    }

    /// <summary>Why a run that fits nowhere is refused, and what would help; of the silo that has most.</summary>
    public static string Objection(RunMemory run, IReadOnlyCollection<SiloRoom> silos)
    {
        // With all of them each has least to hold; it is the one that comes closest whose figures say what is missing.
        var pools = Pools(run, silos);
        var closest = silos.Select(silo => Shortage(run, silos.Count, pools, silo)).OfType<Shortfall>().MinBy(shortage => shortage.NeededBytes - shortage.ThereBytes);
        return closest is null ? "No silo has memory for the run." : $"{Sentence(run, silos.Count, closest)} {Remedy(run, silos.Count, closest)}";
    }

    private static Shortfall? Worst(RunMemory run, List<SiloRoom> silos)
    {
        var pools = Pools(run, silos);
        return silos.Select(silo => Shortage(run, silos.Count, pools, silo)).OfType<Shortfall>().MaxBy(shortage => shortage.NeededBytes - shortage.ThereBytes);
    }

    /// <summary>What one silo lacks in the pool where it lacks most; null when it lacks nothing.</summary>
    private static Shortfall? Shortage(RunMemory run, int siloCount, Dictionary<string, SharedPool> pools, SiloRoom silo)
    {
        long needed = run.On(siloCount, silo.CpuDevices).TrainingBytes;
        return silo.Pools.Select(pool => pools[pool.Name].ShareOf(needed) is var there && there < needed ? new Shortfall(silo, pool, needed, there) : null)
            .OfType<Shortfall>().MinBy(shortage => shortage.ThereBytes);
    }

    /// <summary>Who shares which pool, and how much they need of it: gone through once for all silos.</summary>
    private static Dictionary<string, SharedPool> Pools(RunMemory run, IReadOnlyCollection<SiloRoom> silos)
    {
        var pools = new Dictionary<string, SharedPool>(StringComparer.Ordinal);
        foreach (var silo in silos)
        {
            double needed = run.On(silos.Count, silo.CpuDevices).TrainingBytes;
            foreach (var pool in silo.Pools.DistinctBy(pool => pool.Name))
            {
                var known = pools.GetValueOrDefault(pool.Name);
                // A control group's limit may have been changed between two silos' starts.
                pools[pool.Name] = new SharedPool(Math.Max(known.SizeBytes, pool.SizeBytes), known.ReservedBytes + silo.ReservedBytes, known.NeededBytes + needed);
            }
        }

        return pools;
    }

    private static string Sentence(RunMemory run, int silos, Shortfall shortage)
    {
        var need = run.On(silos, shortage.Silo.CpuDevices);
        return $"Model {run.Spec.Model} needs {MemorySize.Text(need.TrainingBytes)} of memory on {shortage.Silo.Name} (partitions {MemorySize.Text(need.Partitions + need.WaitingSums)}, "
            + $"replica and gradients {MemorySize.Text(need.Replica + need.GradientSums)}, a micro-batch {MemorySize.Text(need.Activations)}), "
            + $"which may use {MemorySize.Text(shortage.ThereBytes)} ({shortage.Pool.Source}).";
    }

    private static string Remedy(RunMemory run, int silos, Shortfall shortage)
    {
        bool Fits(RunMemory other, int count) => other.On(count, shortage.Silo.CpuDevices).TrainingBytes <= shortage.ThereBytes;
        var spec = run.Spec;
        List<string> remedies = [];
        if (spec.Precision == Precision.Fp32 && Fits(run.With(spec with { Precision = Precision.Bf16 }), silos)) remedies.Add("precision bf16");
        if (spec.BatchSize > 1 && Fits(run.With(spec with { BatchSize = 1 }), silos)) remedies.Add("batchSize 1");
        if (spec.EvaluationBatchSize > spec.BatchSize && Fits(run.With(spec with { ValBatchSize = 0 }), silos)) remedies.Add("valBatchSize 0");
        for (int length = run.Columns / 2; length >= ShortestSequence; length /= 2)
        {
            if (!Fits(run.With(spec with { SeqLength = length }), silos)) continue;
            remedies.Add($"seqLength {length}");
            break;
        }

        for (int count = silos + 1; count <= MostSilos; count++)
        {
            if (!Fits(run, count)) continue;
            remedies.Add($"{count} silos with so much each");
            break;
        }

        if (remedies.Count > 0) return $"What would help: {string.Join(", or ", remedies)}, or more memory.";
        var least = run.With(spec with { Precision = Precision.Bf16, BatchSize = 1, ValBatchSize = 0, SeqLength = Math.Min(run.Columns, ShortestSequence) }).On(MostSilos, shortage.Silo.CpuDevices);
        return $"Neither bf16, a shorter sequence, a smaller batch nor more silos would do by itself; with all of them a silo needs {MemorySize.Text(least.TrainingBytes)}.";
    }

    /// <summary>A pool, and what those that share it have given to other runs and need for this one.</summary>
    private readonly record struct SharedPool(long SizeBytes, long ReservedBytes, double NeededBytes)
    {
        /// <summary>What it leaves a silo when the others that share it have what they need: each has its part by that.</summary>
        public long ShareOf(long needed) => Math.Max(0, (long)((SizeBytes - ReservedBytes) * (needed / NeededBytes)));
    }

    private sealed record Shortfall(SiloRoom Silo, MemoryPool Pool, long NeededBytes, long ThereBytes);
}
