using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>A fault that struck.</summary>
/// <param name="Fault">What was planned.</param>
/// <param name="Silos">Whom it struck.</param>
/// <param name="Time">When.</param>
/// <param name="Step">At which optimizer step.</param>
/// <param name="HitDriver">Whether the run grain was on one of them.</param>
/// <param name="Aimed">Whether it struck in its phase; otherwise that did not come, and it struck all the same.</param>
internal sealed record Strike(Fault Fault, ImmutableArray<string> Silos, DateTimeOffset Time, long Step, bool HitDriver, bool Aimed)
{
    public override string ToString() =>
        $"{Fault}: struck {(Silos.IsEmpty ? "" : string.Join(", ", Silos) + " ")}at step {Step}{(Aimed ? "" : ", its phase did not come")}";
}

/// <summary>Has faults strike: waits for their step and phase, finds out whom they mean, and does it.</summary>
internal sealed class FaultInjector(ChaosCluster cluster, RunFollower run, TimeProvider time)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan PhasePatience = TimeSpan.FromSeconds(30);

    // By then a validation, and with it a checkpoint, has been due.
    private const int StepsOfPatience = 6;

    /// <summary>Lets a fault strike; null when the run was over before.</summary>
    public async Task<Strike?> StrikeAsync(Fault fault, CancellationToken cancellation)
    {
        if (!await run.UntilAsync(status => status.State == RunState.Running && status.Step >= fault.Step - 1 && !status.Partitions.IsEmpty, cancellation)) return null;
        if (fault.Phase == FaultPhase.Any) return await DoAsync(fault, Meant(fault.Target), true, cancellation);
        var meant = Meant(fault.Target);
        using var arm = FaultArm.Set(cluster.FaultFolder, Waiting(fault, meant), fault.Phase, Math.Max(fault.Step, run.Status.Step + 1));
        bool aimed = await ReachedAsync(arm, fault, cancellation);
        if (run.Status.IsOver) return null;
        return await DoAsync(fault, Meant(fault.Target), aimed, cancellation);
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
            FaultRole.Worker => silos.Select(silo => silo.Name)
                .Where(name => name != status.Driver && !status.Partitions.Any(place => place.Holders.Contains(name))).Take(1),
            FaultRole.Silo => [$"silo-{target.Number}"],
            _ => [],
        };
        var found = silos.Where(silo => names.Contains(silo.Name)).ToImmutableArray();
        // Nobody is that just now: then the last that there is.
        return found.IsEmpty && target.Role != FaultRole.None ? [silos[^1]] : found;
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
            if (run.Status.IsOver || run.Status.Step > fault.Step + StepsOfPatience || time.GetElapsedTime(start) > PhasePatience) return false;
            await Task.Delay(Interval, cancellation);
        }

        return true;
    }

    private async Task<Strike> DoAsync(Fault fault, ImmutableArray<LocalSilo> silos, bool aimed, CancellationToken cancellation)
    {
        var status = run.Status;
        var strike = new Strike(fault, [.. silos.Select(silo => silo.Name)], time.GetUtcNow(), status.Step + 1, silos.Any(silo => silo.Name == status.Driver), aimed);
        switch (fault.Kind)
        {
            case FaultKind.Kill:
                foreach (var silo in silos) ChaosCluster.Kill(silo);
                await Task.WhenAll(silos.Select(silo => silo.Ended)).WaitAsync(cancellation);
                break;
        }

        return strike;
    }
}
