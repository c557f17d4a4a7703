using System.Collections.Immutable;
using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>An undisturbed run for the weights to expect of its settings, then runs with faults, or under siege.</summary>
internal sealed class ChaosCampaign(ChaosSettings settings, TimeProvider time, TextWriter progress)
{
    // Consoles side by side do not share one.
    private readonly string _folder = Path.Combine(settings.Folder, $"{Environment.ProcessId}");

    /// <summary>Runs all of it.</summary>
    /// <exception cref="ClusterException">The undisturbed run that all are compared with did not succeed, or a cluster did not come up.</exception>
    public async Task<ChaosReport> RunAsync(CancellationToken cancellation)
    {
        var specs = CampaignSpecs.Open(settings, _folder);
        var outcomes = settings switch
        {
            { Storm: { } interval } => await BesiegeAsync("storm", specs, (siege, undisturbed) => siege.StormAsync(interval, settings.Duration, undisturbed, ReportAsync, cancellation), cancellation),
            { Trace.IsDefault: false } => await BesiegeAsync("trace", specs, (siege, undisturbed) => siege.ReplayAsync(settings.Trace, undisturbed, ReportAsync, cancellation), cancellation),
            _ => await ScheduledAsync(specs, await PossibleAsync(), cancellation),
        };
        var report = new ChaosReport(settings.Seed, outcomes);
        if (report.HasPassed && !settings.Keep) Directory.Delete(_folder, recursive: true);
        return report;
    }

    // One cluster, run after run: they all have the settings of the first.
    private async Task<ImmutableArray<ChaosOutcome>> BesiegeAsync(
        string name, CampaignSpecs specs, Func<Siege, ChaosOutcome, Task<ImmutableArray<ChaosOutcome>>> besiege, CancellationToken cancellation)
    {
        var spec = specs.Of(settings.FirstRun);
        var undisturbed = Sound(await UndisturbedAsync(spec, Path.Combine(_folder, "undisturbed"), cancellation));
        return await besiege(new Siege(settings, spec, Path.Combine(_folder, name), time), undisturbed);
    }

    private async Task<ImmutableArray<ChaosOutcome>> ScheduledAsync(CampaignSpecs specs, ImmutableArray<FaultKind> kinds, CancellationToken cancellation)
    {
        var outcomes = ImmutableArray.CreateBuilder<ChaosOutcome>();
        ChaosOutcome? undisturbed = null;
        for (int run = settings.FirstRun; run < settings.FirstRun + settings.Runs; run++)
        {
            var place = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"run-{run:000}"));
            var spec = specs.Of(run);
            // Of runs with the same settings one is enough.
            if (undisturbed?.Spec != spec) undisturbed = await UndisturbedAsync(spec, Path.Combine(place, "undisturbed"), cancellation);
            if (settings.Settings == SettingsChoice.Default) Sound(undisturbed);
            var outcome = undisturbed.Objections.IsEmpty ? await OneAsync(run, spec, undisturbed, kinds, place, cancellation) : undisturbed with { Run = run };
            outcomes.Add(outcome);
            await ReportAsync(outcome);
            if (outcome.Objections.IsEmpty && !settings.Keep) Directory.Delete(place, recursive: true);
        }

        return outcomes.ToImmutable();
    }

    private async Task<ChaosOutcome> OneAsync(int run, RunSpec spec, ChaosOutcome undisturbed, ImmutableArray<FaultKind> kinds, string place, CancellationToken cancellation)
    {
        var schedule = settings.Faults.IsDefault ? FaultSchedule.Create(settings.Seed, run, kinds, undisturbed.Status.Step, settings.Silos) : settings.Faults;
        await progress.WriteLineAsync(ChaosText.Beginning(run, schedule, settings.ReplacementOf(run), Expected(undisturbed, schedule)));
        return await new ChaosRun(settings, spec, run, Path.Combine(place, "disturbed"), time).RunAsync(settings.Silos, schedule, undisturbed, cancellation);
    }

    private async Task<ChaosOutcome> UndisturbedAsync(RunSpec spec, string place, CancellationToken cancellation)
    {
        await progress.WriteLineAsync(ChaosText.Settings(spec));
        var outcome = await new ChaosRun(settings, spec, 0, place, time).RunAsync(1, [], null, cancellation);
        await progress.WriteLineAsync(ChaosText.Undisturbed(outcome));
        return outcome with { Objections = [.. outcome.Objections.Select(objection => $"undisturbed, {objection}")] };
    }

    private static ChaosOutcome Sound(ChaosOutcome undisturbed) => undisturbed.Objections.IsEmpty
        ? undisturbed
        : throw new ClusterException($"The undisturbed run is not as it must be: {string.Join("; ", undisturbed.Objections)}. Its output and logs are in {undisturbed.Folder}");

    // Its silos share the cores, and each fault has to be noticed, mended and outlasted.
    private TimeSpan Expected(ChaosOutcome undisturbed, ImmutableArray<Fault> schedule)
    {
        var pace = FaultPace.Of(undisturbed, settings.FailureDetection);
        return TimeSpan.FromSeconds(undisturbed.Seconds) + (FaultPace.Slowdown * TimeSpan.FromSeconds(undisturbed.Status.Seconds)) + schedule.Aggregate(TimeSpan.Zero, (sum, fault) => sum + pace.Cost(fault.Kind));
    }

    private Task ReportAsync(ChaosOutcome outcome) => progress.WriteLineAsync(ChaosText.Outcome(outcome, settings.Seed));

    // What this machine cannot do is left out, and said.
    private async Task<ImmutableArray<FaultKind>> PossibleAsync()
    {
        var kinds = settings.Kinds;
        foreach (var (kind, obstacle) in ((FaultKind, Func<Task<string?>>)[])[(FaultKind.Disk, () => SmallDisk.ObstacleAsync(_folder)), (FaultKind.Partition, () => SiloNetwork.ObstacleAsync())])
        {
            bool wanted = settings.Faults.IsDefault ? kinds.Contains(kind) : settings.Faults.Any(fault => fault.Kind == kind);
            if (!wanted || await obstacle() is not { } sentence) continue;
            kinds = kinds.Remove(kind);
            if (kinds.IsEmpty || !settings.Faults.IsDefault) throw new UsageException($"The fault '{Listing.Word(kind)}' cannot strike here: {sentence}.");
            await progress.WriteLineAsync($"without the fault '{Listing.Word(kind)}': {sentence}");
        }

        return kinds;
    }
}
