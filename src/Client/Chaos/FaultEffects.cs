using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// What each kind of fault does. The blow falls before a method first waits; what follows (a stopped silo goes on, a killed
/// one is started again) is the rest of its task, which ends in an objection, or null.
/// </summary>
/// <param name="cluster">To be hurt.</param>
/// <param name="run">Whose disk is filled, and whose bits are flipped.</param>
/// <param name="disk">To be filled; null: there is none.</param>
/// <param name="pace">How long things last.</param>
internal sealed class FaultEffects(ChaosCluster cluster, RunFollower run, SmallDisk? disk, FaultPace pace)
{
    // Two missed probes make a silo dead, each of half the time; a pulse is well below one.
    private static readonly TimeSpan Pulse = TimeSpan.FromMilliseconds(300);

    // Killed, or stopped until declared dead: how such a process ends says nothing about a drain that it was told of as well.
    private readonly HashSet<int> _doomed = [];

    /// <summary>Does it.</summary>
    /// <param name="kind">What.</param>
    /// <param name="silos">To whom.</param>
    /// <param name="release">Lets those go on that wait for the blow.</param>
    /// <param name="cancellation">The run is over.</param>
    public Task<string?> DoAsync(FaultKind kind, ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation) => kind switch
    {
        FaultKind.Kill => KillAsync(silos, release, cancellation),
        FaultKind.Pause => PauseAsync(silos, release, cancellation),
        FaultKind.Drain => DrainAsync(silos, release, cancellation),
        FaultKind.Join => JoinAsync(release, cancellation),
        FaultKind.Slow => SlowAsync(silos, release, cancellation),
        FaultKind.Redis => RestartRedisAsync(release, cancellation),
        FaultKind.Cluster => RestartAsync(silos, release, cancellation),
        FaultKind.SlowDisk => SlowDiskAsync(release, cancellation),
        FaultKind.Partition => PartAsync(silos, release, cancellation),
        FaultKind.Hang => HangAsync(silos, release, cancellation),
        FaultKind.Flip => new FlippedBit(run).JudgeAsync(silos, release, cancellation),
        _ => FillAsync(release, cancellation),
    };

    private async Task<string?> KillAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        foreach (var silo in silos) Kill(silo);
        release();
        await Task.WhenAll(silos.Select(silo => silo.Ended)).WaitAsync(cancellation);
        return null;
    }

    private async Task<string?> PauseAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        foreach (var silo in silos)
        {
            _doomed.Add(silo.Process.Id);
            Send(silo, ProcessSignal.Stop);
        }

        release();
        await Task.Delay(pace.Pause, cancellation);
        foreach (var silo in silos) Send(silo, ProcessSignal.Continue);
        return null;
    }

    private async Task<string?> DrainAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        foreach (var silo in silos) Send(silo, ProcessSignal.Terminate);
        release();
        foreach (var silo in silos)
        {
            if (await Task.WhenAny(silo.Ended, Task.Delay(pace.Drain, cancellation)) != silo.Ended)
            {
                cancellation.ThrowIfCancellationRequested();
                return $"{silo.Name} was told to leave and has not left within {pace.Drain.TotalSeconds:F0} s";
            }

            if (silo.Process.ExitCode != 0 && !_doomed.Contains(silo.Process.Id)) return $"{silo.Name} was told to leave: {silo.Obituary()}";
        }

        return null;
    }

    private async Task<string?> JoinAsync(Action release, CancellationToken cancellation)
    {
        await cluster.StartAsync(cancellation);
        release();
        return null;
    }

    private async Task<string?> SlowAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        try
        {
            for (var passed = TimeSpan.Zero; passed < pace.Slow; passed += 2 * Pulse)
            {
                foreach (var silo in silos) Send(silo, ProcessSignal.Stop);
                release();
                await Task.Delay(Pulse, cancellation);
                foreach (var silo in silos) Send(silo, ProcessSignal.Continue);
                await Task.Delay(Pulse, cancellation);
            }
        }
        finally
        {
            foreach (var silo in silos) Send(silo, ProcessSignal.Continue);
        }

        return null;
    }

    private async Task<string?> RestartRedisAsync(Action release, CancellationToken cancellation)
    {
        cluster.KillRedis();
        release();
        await cluster.StartRedisAsync(cancellation);
        return null;
    }

    private async Task<string?> RestartAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        using var still = await cluster.StopReplacingAsync(cancellation);
        foreach (var silo in silos) Kill(silo);
        cluster.KillRedis();
        release();
        await Task.WhenAll(silos.Select(silo => silo.Ended)).WaitAsync(cancellation);
        await cluster.StartRedisAsync(cancellation);
        return null;
    }

    // A run whose disk is full waits with what it has to write, and goes on when there is space again.
    private async Task<string?> FillAsync(Action release, CancellationToken cancellation)
    {
        if (disk is null) return "there is no small disk to fill";
        disk.Fill();
        release();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(pace.Full);
        try
        {
            await run.UntilAsync(status => status.IsOver || status.State == RunState.Waiting, patience.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It had nothing to write meanwhile, or trains on with what it has to write.
        }
        finally
        {
            disk.Free();
        }

        return run.Status is { State: RunState.Failed, Failure: { } failure } ? $"its disk was full, and instead of waiting it failed: {failure.Message}" : null;
    }

    private async Task<string?> SlowDiskAsync(Action release, CancellationToken cancellation)
    {
        try
        {
            await Task.Delay(pace.SlowDisk, cancellation);
        }
        finally
        {
            release();
        }

        return null;
    }

    private async Task<string?> PartAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        if (cluster.Network is not { } network || silos.Length < 2) return "there are no two silos with a network between them";
        await network.PartAsync(silos[0].Name, silos[1].Name);
        release();
        try
        {
            await Task.Delay(pace.Pause, cancellation);
        }
        finally
        {
            await network.JoinAsync(silos[0].Name, silos[1].Name);
        }

        return null;
    }

    // Whoever else there is goes on: the run must not wait for the one that hangs.
    private async Task<string?> HangAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        long before = run.Status.Step;
        using var longest = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        longest.CancelAfter(pace.LongestHang);
        try
        {
            await Task.Delay(pace.Hang, cancellation);
            await run.UntilAsync(status => status.Step > before, longest.Token);
            return null;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return $"the device of {silos[0].Name} hung for {pace.LongestHang.TotalSeconds:F0} s, and the run stayed at step {before + 1} with it";
        }
        finally
        {
            release();
        }
    }

    private void Kill(LocalSilo silo)
    {
        _doomed.Add(silo.Process.Id);
        Send(silo, ProcessSignal.Kill);
    }

    // One that has ended is left alone: its id may be somebody else's.
    private static void Send(LocalSilo silo, int signal)
    {
        if (!silo.Ended.IsCompleted) ProcessSignal.Send(silo.Process.Id, signal);
    }
}
