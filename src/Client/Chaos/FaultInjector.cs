using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>Has faults strike: waits for their step and phase, finds out whom they mean, and does it.</summary>
internal sealed class FaultInjector(ChaosCluster cluster, RunFollower run, FaultEffects effects, FaultPace pace, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(2);
    private static readonly TimeSpan WaitForBlow = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SlowPiece = TimeSpan.FromSeconds(1);

    // By then a validation, and with it a checkpoint, has been due.
    private const int StepsOfPatience = 6;

    /// <summary>Lets a fault strike; null when the run was over before.</summary>
    public async Task<Strike?> StrikeAsync(Fault fault, CancellationToken cancellation)
    {
        if (!await run.UntilAsync(status => IsTime(fault, status), cancellation)) return null;
        var meant = Meant(fault);
        if (Fault.Place(fault.Kind) is { } place) return await StrikeInPlaceAsync(fault, meant, place, cancellation);
        if (fault.Phase == FaultPhase.Any) return Strike(fault, meant, true, () => { }, cancellation);
        int? waiting = Waiting(fault, meant);
        using var arm = FaultArm.Set(cluster.FaultFolder, waiting, fault.Phase, FirstStep(fault), FaultOrder.Wait(WaitForBlow));
        bool aimed = await ReachedAsync(arm, fault, cancellation);
        if (run.IsOver) return null;
        // Somebody else may play the part by now; whoever was told to wait is struck all the same.
        return Strike(fault, waiting is null ? Meant(fault) : meant, aimed, arm.Dispose, cancellation);
    }

    // What a silo does itself, where it is told to; the aftermath ends it.
    private async Task<Strike?> StrikeInPlaceAsync(Fault fault, ImmutableArray<LocalSilo> meant, FaultPhase place, CancellationToken cancellation)
    {
        var order = fault.Kind switch
        {
            FaultKind.Flip => FaultOrder.Flip,
            FaultKind.SlowDisk => FaultOrder.Slow(SlowPiece),
            _ => FaultOrder.Wait(pace.LongestHang),
        };
        if (fault.Kind == FaultKind.Flip) run.GoesOnAfterFailure = true;
        var arm = FaultArm.Set(cluster.FaultFolder, meant.Length == 1 ? meant[0].Process.Id : null, place, FirstStep(fault), order);
        try
        {
            if (await ReachedAsync(arm, fault, cancellation) && Struck(fault, arm) is { } struck) return Strike(fault, struck, true, arm.Dispose, cancellation);
        }
        catch
        {
            arm.Dispose();
            throw;
        }

        arm.Dispose();
        if (fault.Kind == FaultKind.Flip) run.GoesOnAfterFailure = false;
        return run.IsOver ? null : new Strike(fault, [], time.GetUtcNow(), run.Status.Step + 1, HitDriver: false, Aimed: false);
    }

    // Null: the silo that did it is gone, and with it what it did. A disk is nobody's.
    private ImmutableArray<LocalSilo>? Struck(Fault fault, FaultArm arm)
    {
        if (fault.Kind == FaultKind.SlowDisk) return [];
        ImmutableArray<LocalSilo> struck = [.. cluster.Silos.Where(silo => silo.Process.Id == arm.Reached?.Process)];
        return struck.IsEmpty ? null : struck;
    }

    // A bit that only one holder gets is noticed by comparing it with another.
    private static bool IsTime(Fault fault, RunStatus status) =>
        status.State == RunState.Running && status.Step >= fault.Step - 1 && !status.Partitions.IsEmpty
        && (fault.Kind is not FaultKind.Flip || status.Partitions.All(partition => partition.Holders.Length > 1));

    private long FirstStep(Fault fault) => Math.Max(fault.Step, run.Status.Step + 1);

    // A part of the network is between two.
    private ImmutableArray<LocalSilo> Meant(Fault fault)
    {
        var meant = Meant(fault.Target);
        return fault.Kind == FaultKind.Partition && meant.Length == 1 && cluster.Silos.FirstOrDefault(silo => silo.Name != meant[0].Name) is { } other ? meant.Add(other) : meant;
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
            FaultPhase.Fetch or FaultPhase.Accumulate or FaultPhase.Kernel or FaultPhase.Backward or FaultPhase.BeforePush or FaultPhase.Send or FaultPhase.Push or FaultPhase.Validate => true,
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
            if (run.IsOver || run.Status.Step > fault.Step + StepsOfPatience || time.GetElapsedTime(start) > pace.Phase) return false;
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
        if (hitsDriver && fault.Kind is FaultKind.Kill or FaultKind.Cluster && status.Step + 1 < pace.LastStep) run.LeaveAlone();
        return new Strike(fault, [.. silos.Select(silo => silo.Name)], now, status.Step + 1, hitsDriver, aimed) { Aftermath = effects.DoAsync(fault.Kind, silos, release, cancellation) };
    }
}
