using System.Collections.Immutable;
using System.Globalization;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>One undisturbed run for the weights to expect, then run after run with faults.</summary>
internal sealed class ChaosCampaign(ChaosSettings settings, TimeProvider time, TextWriter progress)
{
    /// <summary>Whether all runs passed.</summary>
    public async Task<bool> RunAsync(CancellationToken cancellation)
    {
        var folder = Path.Combine(settings.Folder, $"{Environment.ProcessId}");
        var undisturbed = await new ChaosRun(settings, 0, Path.Combine(folder, "undisturbed"), time).RunAsync(1, [], null, cancellation);
        if (!undisturbed.Objections.IsEmpty)
        {
            await ReportAsync(undisturbed);
            return false;
        }

        await progress.WriteLineAsync($"undisturbed: {undisturbed.Status.TotalSteps} steps in {undisturbed.Status.Seconds:F1} s, weights {undisturbed.Status.WeightsSha256[..16]}…");
        var outcomes = new List<ChaosOutcome>();
        for (int run = settings.FirstRun; run < settings.FirstRun + settings.Runs; run++)
        {
            var schedule = FaultSchedule.Create(settings.Seed, run, settings.Kinds, undisturbed.Status.TotalSteps, settings.Silos);
            var place = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"run-{run:000}"));
            await progress.WriteLineAsync($"run {run}: {string.Join("; ", schedule)}");
            var outcome = await new ChaosRun(settings, run, place, time).RunAsync(settings.Silos, schedule, undisturbed, cancellation);
            outcomes.Add(outcome);
            await ReportAsync(outcome);
            if (outcome.Objections.IsEmpty && !settings.Keep) Directory.Delete(place, recursive: true);
        }

        int passed = outcomes.Count(outcome => outcome.Objections.IsEmpty);
        await progress.WriteLineAsync($"PASSED {passed} of {outcomes.Count}");
        return passed == outcomes.Count;
    }

    private async Task ReportAsync(ChaosOutcome outcome)
    {
        foreach (var (strike, recovery) in outcome.Strikes)
            await progress.WriteLineAsync($"  {strike}: detected {Text(recovery.Detected)}, planned {Text(recovery.Planned)}, next step {Text(recovery.Applied)}");
        var ended = outcome.Objections.IsEmpty ? "passed" : $"FAILED (seed {settings.Seed}, logs in {outcome.Folder}): {string.Join("; ", outcome.Objections)}";
        await progress.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"  run {outcome.Run} {ended}, {outcome.Seconds:F0} s"));
    }

    private static string Text(double? seconds) => seconds is { } value ? string.Create(CultureInfo.InvariantCulture, $"{value:F2} s") : "–";
}
