using System.Collections.Immutable;
using System.Globalization;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>One undisturbed run for the weights to expect, then run after run with faults, or under siege.</summary>
internal sealed class ChaosCampaign(ChaosSettings settings, TimeProvider time, TextWriter progress)
{
    // Consoles side by side do not share one.
    private readonly string _folder = Path.Combine(settings.Folder, $"{Environment.ProcessId}");

    /// <summary>Runs all of it.</summary>
    /// <exception cref="ClusterException">The undisturbed run did not succeed, or a cluster did not come up.</exception>
    public async Task<ChaosReport> RunAsync(CancellationToken cancellation)
    {
        var kinds = await PossibleAsync();
        var undisturbed = await new ChaosRun(settings, 0, Path.Combine(_folder, "undisturbed"), time).RunAsync(1, [], null, cancellation);
        if (!undisturbed.Objections.IsEmpty) throw new ClusterException($"The undisturbed run is not as it must be: {string.Join("; ", undisturbed.Objections)}. Its output and logs are in {undisturbed.Folder}");
        var (status, steps) = (undisturbed.Status, undisturbed.Status.TotalSteps);
        await progress.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"undisturbed: {steps} steps in {status.Seconds:F1} s, weights sha256 {status.WeightsSha256}"));

        var outcomes = settings switch
        {
            { Storm: { } interval } => await SiegeOf("storm").StormAsync(interval, settings.Duration, undisturbed, ReportAsync, cancellation),
            { Trace.IsDefault: false } => await SiegeOf("trace").ReplayAsync(settings.Trace, undisturbed, ReportAsync, cancellation),
            _ => await ScheduledAsync(undisturbed, kinds, cancellation),
        };
        var report = new ChaosReport(settings.Seed, status.WeightsSha256, outcomes);
        if (report.HasPassed && !settings.Keep) Directory.Delete(_folder, recursive: true);
        return report;
    }

    private Siege SiegeOf(string name) => new(settings, Path.Combine(_folder, name), time);

    private async Task<ImmutableArray<ChaosOutcome>> ScheduledAsync(ChaosOutcome undisturbed, ImmutableArray<FaultKind> kinds, CancellationToken cancellation)
    {
        var outcomes = ImmutableArray.CreateBuilder<ChaosOutcome>();
        for (int run = settings.FirstRun; run < settings.FirstRun + settings.Runs; run++)
        {
            var schedule = settings.Faults.IsDefault ? FaultSchedule.Create(settings.Seed, run, kinds, undisturbed.Status.TotalSteps, settings.Silos) : settings.Faults;
            var place = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"run-{run:000}"));
            await progress.WriteLineAsync(ChaosText.Beginning(run, schedule));
            var outcome = await new ChaosRun(settings, run, place, time).RunAsync(settings.Silos, schedule, undisturbed, cancellation);
            outcomes.Add(outcome);
            await ReportAsync(outcome);
            if (outcome.Objections.IsEmpty && !settings.Keep) Directory.Delete(place, recursive: true);
        }

        return outcomes.ToImmutable();
    }

    private Task ReportAsync(ChaosOutcome outcome) => progress.WriteLineAsync(ChaosText.Outcome(outcome, settings.Seed));

    // What this machine cannot do is left out, and said.
    private async Task<ImmutableArray<FaultKind>> PossibleAsync()
    {
        bool wanted = settings.Faults.IsDefault ? settings.Kinds.Contains(FaultKind.Disk) : settings.Faults.Any(fault => fault.Kind == FaultKind.Disk);
        if (!wanted || await SmallDisk.ObstacleAsync(_folder) is not { } obstacle) return settings.Kinds;
        var rest = settings.Kinds.Remove(FaultKind.Disk);
        if (rest.IsEmpty || !settings.Faults.IsDefault) throw new UsageException($"No disk can be full here: {obstacle}.");
        await progress.WriteLineAsync($"without the fault 'disk': {obstacle}");
        return rest;
    }
}
