using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// One cluster under continuous disturbance, and run after run on it: a kill every so many seconds, or the comings and
/// goings of a trace. The run that is under way when it ends is finished in peace; every run is judged.
/// </summary>
internal sealed class Siege(ChaosSettings settings, RunSpec spec, string folder, TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(30);

    private readonly List<Strike> _strikes = [];
    private RunFollower? _run;

    /// <summary>A kill of a silo, drawn from those that are there, every <paramref name="interval"/> for <paramref name="duration"/>.</summary>
    public Task<ImmutableArray<ChaosOutcome>> StormAsync(TimeSpan interval, TimeSpan duration, ChaosOutcome undisturbed, Func<ChaosOutcome, Task> done, CancellationToken cancellation) =>
        RunAsync(
            settings.Silos,
            async (cluster, over) =>
            {
                long start = time.GetTimestamp();
                using var replacing = CancellationTokenSource.CreateLinkedTokenSource(over);
                var replaced = cluster.ReplaceAsync(settings.Silos, replacing.Token);
                for (int kill = 0; time.GetElapsedTime(start) < duration; kill++)
                {
                    if (await Task.WhenAny(Task.Delay(interval, time, over), replaced) == replaced) await replaced;
                    over.ThrowIfCancellationRequested();
                    var silos = cluster.Silos.ToArray();
                    if (silos.Length > 0) Kill(silos[CounterRandom.Below(silos.Length, settings.Seed, RandomPurpose.Faults, ulong.MaxValue, (ulong)kill)]);
                }

                await replacing.CancelAsync();
            },
            undisturbed,
            done,
            cancellation);

    /// <summary>What a trace says, at the times it says.</summary>
    public Task<ImmutableArray<ChaosOutcome>> ReplayAsync(ImmutableArray<SpotEvent> trace, ChaosOutcome undisturbed, Func<ChaosOutcome, Task> done, CancellationToken cancellation)
    {
        int first = trace.TakeWhile(happened => happened.Time == TimeSpan.Zero && happened.IsUp).Count();
        return RunAsync(
            first,
            async (cluster, over) =>
            {
                long start = time.GetTimestamp();
                foreach (var happened in trace.Skip(first))
                {
                    if (happened.Time - time.GetElapsedTime(start) is var left && left > TimeSpan.Zero) await Task.Delay(left, time, over);
                    if (happened.IsUp) await cluster.StartAsync(happened.Silo, over);
                    else if (cluster.Find($"silo-{happened.Silo}") is { } silo) Kill(silo);
                }

                // The last run is to end, also where the trace leaves nobody to do it.
                if (!cluster.Silos.Any()) await cluster.StartAsync(over);
            },
            undisturbed,
            done,
            cancellation);
    }

    private void Kill(LocalSilo silo)
    {
        bool hitsDriver = _run?.Status.Driver == silo.Name;
        long step = (_run?.Status.Step ?? 0) + 1;
        lock (_strikes) _strikes.Add(new Strike(Fault.Kill(FaultRole.Silo).AtStep(step), [silo.Name], time.GetUtcNow(), step, hitsDriver, Aimed: true));
        ProcessSignal.Send(silo.Process.Id, ProcessSignal.Kill);
    }

    private async Task<ImmutableArray<ChaosOutcome>> RunAsync(
        int silos, Func<ChaosCluster, CancellationToken, Task> disturb, ChaosOutcome undisturbed, Func<ChaosOutcome, Task> done, CancellationToken cancellation)
    {
        var outcomes = ImmutableArray.CreateBuilder<ChaosOutcome>();
        var cluster = await ChaosCluster.OpenAsync(folder, silos, null, cancellation);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var disturbing = disturb(cluster, over.Token);
        try
        {
            do
            {
                var outcome = await OneAsync(cluster, outcomes.Count + 1, undisturbed, cancellation);
                outcomes.Add(outcome);
                await done(outcome);
                if (disturbing.IsFaulted) await disturbing;
            }
            while (!disturbing.IsCompleted && outcomes[^1].Objections.IsEmpty);
        }
        finally
        {
            await over.CancelAsync();
            await Task.WhenAny(disturbing);
            var orphans = await cluster.EndAsync();
            if (orphans.Count > 0 && outcomes.Count > 0)
                outcomes[^1] = outcomes[^1] with { Objections = outcomes[^1].Objections.Add($"processes outlived it: {string.Join(", ", orphans.Select(process => process.Id))}") };
        }

        return outcomes.ToImmutable();
    }

    private async Task<ChaosOutcome> OneAsync(ChaosCluster cluster, int number, ChaosOutcome undisturbed, CancellationToken cancellation)
    {
        var began = time.GetUtcNow();
        long start = time.GetTimestamp();
        await using var run = new ObservedRun(cluster, CampaignSpecs.Submission(spec, Path.Combine(folder, $"output-{number:000}")));
        using var devices = new DeviceTime(settings.Silos, time);
        using var over = new CancellationTokenSource();
        await devices.AskAsync(cluster);
        var before = devices.Sum;
        _run = run.Follower;
        var following = devices.FollowAsync(cluster, over.Token);
        await run.LiveAsync(Patience, cancellation);
        await over.CancelAsync();
        await following;
        double seconds = time.GetElapsedTime(start).TotalSeconds;
        var strikes = Strikes(began);
        var objections = run.Judge(undisturbed.Expectation, strikes);
        var recoveries = Recovery.OfAll(strikes, run.Follower.Events);
        var spent = devices.Sum.Since(before);
        var goodput = Goodput.Of(settings.Silos, seconds, spent, devices.AbsentSeconds, undisturbed, recoveries.Select(struck => struck.Recovery));
        return new ChaosOutcome(number, spec, [], recoveries, run.Follower.Status, objections, folder, seconds, spent.MicroBatches, goodput)
        {
            Replacement = Replacement.AtOnce,
            StepSeconds = Recovery.UndisturbedStep(strikes, run.Follower.Events),
        };
    }

    private Strike[] Strikes(DateTimeOffset since)
    {
        lock (_strikes) return [.. _strikes.Where(strike => strike.Time >= since)];
    }
}
