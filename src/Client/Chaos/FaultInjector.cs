using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>Has faults strike: waits for their step and phase, finds out whom they mean, and does it.</summary>
internal sealed class FaultInjector(ChaosCluster cluster, RunFollower run, SmallDisk? disk, TimeSpan detection, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan PhasePatience = TimeSpan.FromSeconds(30);

    // By then a validation, and with it a checkpoint, has been due.
    private const int StepsOfPatience = 6;

    private readonly FaultEffects _effects = new(cluster, run, disk, detection);

    /// <summary>Lets a fault strike; null when the run was over before.</summary>
    public async Task<Strike?> StrikeAsync(Fault fault, CancellationToken cancellation)
    {
        if (!await run.UntilAsync(status => status.State == RunState.Running && status.Step >= fault.Step - 1 && !status.Partitions.IsEmpty, cancellation)) return null;
        var meant = Meant(fault.Target);
        if (fault.Phase == FaultPhase.Any) return Strike(fault, meant, true, () => { }, cancellation);
        int? waiting = Waiting(fault, meant);
        using var arm = FaultArm.Set(cluster.FaultFolder, waiting, fault.Phase, Math.Max(fault.Step, run.Status.Step + 1));
        bool aimed = await ReachedAsync(arm, fault, cancellation);
        if (run.IsOver) return null;
        // Somebody else may play the part by now; whoever was told to wait is struck all the same.
        return Strike(fault, waiting is null ? Meant(fault.Target) : meant, aimed, arm.Dispose, cancellation);
    }

    /// <summary>The silos that a target means now.</summary>
    private ImmutableArray<LocalSilo> Meant(FaultTarget target)
    {
        var status = run.Status;
        var silos = cluster.Silos.OrderBy(silo => silo.Name, StringComparer.Ordinal).ToArray();
        var holders = status.Partitions.IsEmpty ? [] : status.Partitions[target.Number % status.Partitions.Length].Holders;
        IEnumerable<string> names = target.Role switch
        {
            FaultRole.Driver => [status.Driver],
            FaultRole.Holder => holders.Take(1),
            FaultRole.Standby => holders.Skip(1).Take(1),
            FaultRole.BothHolders => holders,
            FaultRole.Worker => status.Devices.Select(share => share.Silo)
                .Where(name => name != status.Driver && !status.Partitions.Any(place => place.Holders.Contains(name))).Take(1),
            FaultRole.Silo => [$"silo-{target.Number}"],
            FaultRole.All => silos.Select(silo => silo.Name),
            _ => [],
        };
        var found = silos.Where(silo => names.Contains(silo.Name)).ToImmutableArray();
        // Nobody is that just now: then the last that there is.
        return found.IsEmpty && target.Role != FaultRole.None && silos.Length > 0 ? [silos[^1]] : found;
    }

    // Who comes to the phase: the one that is meant, where it does; otherwise whoever does.
    private static int? Waiting(Fault fault, ImmutableArray<LocalSilo> meant)
    {
        bool itself = meant.Length == 1 && fault.Phase switch
        {
            FaultPhase.Fetch or FaultPhase.Accumulate or FaultPhase.BeforePush or FaultPhase.Push or FaultPhase.Validate => true,
            FaultPhase.Apply => fault.Target.Role is FaultRole.Holder or FaultRole.Standby,
            FaultPhase.BeforeApply or FaultPhase.Record => fault.Target.Role == FaultRole.Driver,
            _ => false,
        };
        return itself ? meant[0].Process.Id : null;
    }

    private async Task<bool> ReachedAsync(FaultArm arm, Fault fault, CancellationToken cancellation)
    {
        long start = time.GetTimestamp();
        while (arm.Reached is null)
        {
            if (run.IsOver || run.Status.Step > fault.Step + StepsOfPatience || time.GetElapsedTime(start) > PhasePatience) return false;
            await Task.Delay(Interval, cancellation);
        }

        return true;
    }

    private Strike Strike(Fault fault, ImmutableArray<LocalSilo> silos, bool aimed, Action release, CancellationToken cancellation)
    {
        var status = run.Status;
        bool hitsDriver = silos.Any(silo => silo.Name == status.Driver);
        var now = time.GetUtcNow();
        // Nobody asks for it, so that it has to come back by itself.
        if (hitsDriver && fault.Kind is FaultKind.Kill or FaultKind.Cluster && status.Step + 1 < status.TotalSteps) run.LeaveAlone();
        return new Strike(fault, [.. silos.Select(silo => silo.Name)], now, status.Step + 1, hitsDriver, aimed) { Aftermath = _effects.DoAsync(fault.Kind, silos, release, cancellation) };
    }
}
