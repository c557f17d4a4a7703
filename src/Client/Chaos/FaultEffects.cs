using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// What each kind of fault does. The blow falls before a method first waits; what follows (a stopped silo goes on, a killed
/// one is started again) is the rest of its task, which ends in an objection, or null.
/// </summary>
/// <param name="cluster">To be hurt.</param>
/// <param name="run">To be resumed after a disk was full.</param>
/// <param name="disk">To be filled; null: there is none.</param>
/// <param name="detection">Within which time silos are declared dead.</param>
internal sealed class FaultEffects(ChaosCluster cluster, RunFollower run, SmallDisk? disk, TimeSpan detection)
{
    private const int Pulses = 10;

    // A silo hands over at a step boundary, and has a minute for it.
    private static readonly TimeSpan DrainPatience = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan FullFor = TimeSpan.FromSeconds(30);

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
        await Task.Delay(3 * detection, cancellation);
        foreach (var silo in silos) Send(silo, ProcessSignal.Continue);
        return null;
    }

    private async Task<string?> DrainAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        foreach (var silo in silos) Send(silo, ProcessSignal.Terminate);
        release();
        foreach (var silo in silos)
        {
            if (await Task.WhenAny(silo.Ended, Task.Delay(DrainPatience, cancellation)) != silo.Ended)
            {
                cancellation.ThrowIfCancellationRequested();
                return $"{silo.Name} was told to leave and has not left within {DrainPatience.TotalSeconds:F0} s";
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

    private static async Task<string?> SlowAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        // Two missed probes make a silo dead, each of half the time; a pulse is well below one.
        var pulse = TimeSpan.FromMilliseconds(300);
        try
        {
            for (int i = 0; i < Pulses; i++)
            {
                foreach (var silo in silos) Send(silo, ProcessSignal.Stop);
                release();
                await Task.Delay(pulse, cancellation);
                foreach (var silo in silos) Send(silo, ProcessSignal.Continue);
                await Task.Delay(pulse, cancellation);
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

    // A run whose disk is full ends, with a sentence; when there is space again it is resumed.
    private async Task<string?> FillAsync(Action release, CancellationToken cancellation)
    {
        if (disk is null) return "there is no small disk to fill";
        run.GoesOnAfterFailure = true;
        disk.Fill();
        release();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(FullFor);
        try
        {
            await run.UntilAsync(status => status.State == RunState.Failed, patience.Token);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // It had nothing to write meanwhile, or waits for something else.
        }

        disk.Free();
        if (run.Status is { State: RunState.Failed, Failure: { } failure } && !failure.Message.Contains("is full", StringComparison.Ordinal))
            return $"its disk was full, and it says: {failure.Message}";
        await ResumeAsync(cancellation);
        run.GoesOnAfterFailure = false;
        return null;
    }

    private async Task ResumeAsync(CancellationToken cancellation)
    {
        if (run.Status.State != RunState.Failed) return;
        await run.AskAsync(
            async grain =>
            {
                await grain.ResumeAsync();
                return true;
            },
            cancellation);
        await run.UntilAsync(status => status.State is not RunState.Failed, cancellation);
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
