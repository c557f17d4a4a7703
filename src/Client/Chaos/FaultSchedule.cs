using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// The faults of one run, in the order in which they strike: a function of (seed, run, kinds, steps), so that a run that
/// failed can be had again.
/// </summary>
internal static class FaultSchedule
{
    private const int MostFaults = 3;

    // Room for the run to recover, and for its replacement to join, before the next.
    private const int FewestStepsBetween = 3;

    /// <summary>Kinds, by how often they are drawn: deaths are what there is most to lose by.</summary>
    private static readonly ImmutableArray<(FaultKind Kind, int Weight)> Weights =
    [
        (FaultKind.Kill, 8), (FaultKind.Pause, 3), (FaultKind.Drain, 3), (FaultKind.Join, 2),
        (FaultKind.Slow, 2), (FaultKind.Redis, 2), (FaultKind.Cluster, 2), (FaultKind.Disk, 1),
        (FaultKind.SlowDisk, 1), (FaultKind.Partition, 2), (FaultKind.Hang, 2), (FaultKind.Flip, 1),
    ];

    /// <summary>What is drawn from unless the console says otherwise: all.</summary>
    public static ImmutableArray<FaultKind> Drawn { get; } = [.. Enum.GetValues<FaultKind>()];

    private static readonly ImmutableArray<FaultRole> Roles = [FaultRole.Driver, FaultRole.Holder, FaultRole.Standby, FaultRole.Worker, FaultRole.Silo];

    // Only a run that begins from weights, is resumed or goes back comes by a restoration, only one that has lost or got a silo by a filling: they are for faults that are named.
    private static readonly ImmutableArray<FaultPhase> Phases = [.. Enum.GetValues<FaultPhase>().Where(phase => phase is not (FaultPhase.Restore or FaultPhase.Fill))];

    /// <summary>The faults of run <paramref name="run"/>.</summary>
    /// <param name="seed">Of all runs.</param>
    /// <param name="run">From 1.</param>
    /// <param name="kinds">What may be drawn, at least one.</param>
    /// <param name="steps">Optimizer steps of the run.</param>
    /// <param name="silos">How many silos it begins with.</param>
    public static ImmutableArray<Fault> Create(ulong seed, int run, IReadOnlyCollection<FaultKind> kinds, long steps, int silos)
    {
        ulong draws = 0;
        int Below(int bound) => CounterRandom.Below(bound, seed, RandomPurpose.Faults, (ulong)run, draws++);

        int count = 1 + Below(Math.Clamp((int)(steps / (FewestStepsBetween + 1)), 1, MostFaults));
        var faults = ImmutableArray.CreateBuilder<Fault>();
        // One fault in each of as many stretches of the run, none at its very end.
        long stretch = Math.Max(1, (steps - 1) / count);
        for (int i = 0; i < count; i++)
        {
            long step = 1 + (i * stretch) + Below((int)Math.Max(1, stretch - FewestStepsBetween));
            faults.Add(Draw(Below, kinds, silos) with { Step = Math.Min(step, steps) });
        }

        return faults.ToImmutable();
    }

    private static Fault Draw(Func<int, int> below, IReadOnlyCollection<FaultKind> kinds, int silos)
    {
        var weighted = Weights.Where(known => kinds.Contains(known.Kind)).SelectMany(known => Enumerable.Repeat(known.Kind, known.Weight)).ToArray();
        var kind = weighted[below(weighted.Length)];
        var phase = Phases[below(Phases.Length)];
        var role = Roles[below(Roles.Length)];
        // One kill in eight takes both copies of a partition.
        if (kind == FaultKind.Kill && below(8) == 0) role = FaultRole.BothHolders;
        int number = role == FaultRole.Silo ? below(silos) : 0;
        return kind switch
        {
            FaultKind.Join or FaultKind.Redis or FaultKind.Cluster => Fault.Of(kind).During(phase),
            // The keeper notices when it writes.
            FaultKind.Disk or FaultKind.SlowDisk => Fault.Of(kind),
            FaultKind.Hang or FaultKind.Flip => new Fault(kind, new FaultTarget(role, number)),
            _ => new Fault(kind, new FaultTarget(role, number), Phase: phase),
        };
    }
}
