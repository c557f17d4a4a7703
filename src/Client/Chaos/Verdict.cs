using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Verification;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>What an undisturbed run came to.</summary>
/// <param name="WeightsSha256">Of its weights.</param>
/// <param name="Steps">After which it ended.</param>
internal sealed record Expectation(string WeightsSha256, long Steps);

/// <summary>Whether a run that was disturbed is what an undisturbed one would have been.</summary>
internal static class Verdict
{
    /// <summary>What is not as it must be, a sentence each.</summary>
    /// <param name="status">How the run ended.</param>
    /// <param name="events">What happened in it.</param>
    /// <param name="output">Its output folder.</param>
    /// <param name="expected">What it would have come to undisturbed; null: not known.</param>
    /// <param name="strikes">What struck it.</param>
    public static IEnumerable<string> Of(RunStatus status, IReadOnlyList<RunEvent> events, string output, Expectation? expected, IReadOnlyCollection<Strike> strikes)
    {
        if (status.State != RunState.Completed) return [$"it ended as {status.State} after step {status.Step}: {status.Failure?.Message ?? "no reason given"}"];
        return [.. Weights(status, expected), .. Ledger(status, output), .. Metrics(output, expected?.Steps ?? status.Step), .. Starved(events, strikes), .. Repetitions(status, events, strikes)];
    }

    private static IEnumerable<string> Weights(RunStatus status, Expectation? expected)
    {
        if (expected is null) yield break;
        if (status.Step != expected.Steps) yield return $"it ended after step {status.Step}; undisturbed it ends after step {expected.Steps}";
        if (status.WeightsSha256 != expected.WeightsSha256) yield return $"its weights have hash {status.WeightsSha256}; undisturbed they have {expected.WeightsSha256}";
    }

    // As 'genslm verify' does it.
    private static ImmutableArray<string> Ledger(RunStatus status, string output)
    {
        try
        {
            var run = RecordedRun.Read(output, moved: spec => spec, CancellationToken.None);
            var report = LedgerVerification.Verify(run.Ledger, run.Plan, run.Checkpoints);
            string?[] objections =
            [
                status.RecordsSeenExactlyOnce == true ? null : $"its summary says recordsSeenExactlyOnce: {status.RecordsSeenExactlyOnce?.ToString() ?? "null"}",
                report.RecordsSeenExactlyOnce ? null : $"its ledger does not hold: {Rendering.VerificationText.Verdict(report)}",
            ];
            return [.. objections.OfType<string>()];
        }
        catch (Exception exception) when (exception is UsageException or FastaException or WeightFileException or LedgerException or IOException)
        {
            return [$"its ledger cannot be verified: {exception.Message}"];
        }
    }

    /// <summary>metrics.jsonl has every step once, and no validation twice.</summary>
    public static IEnumerable<string> Metrics(string output, long steps)
    {
        var path = Path.Combine(output, "metrics.jsonl");
        if (!File.Exists(path))
        {
            yield return "it has no metrics.jsonl";
            yield break;
        }

        var lines = File.ReadAllLines(path).Select(MetricLine.FromJson).ToArray();
        if (lines.Any(line => line is null)) yield return "metrics.jsonl has a line that is none";
        var applied = lines.OfType<MetricLine>().Where(line => line.Kind == "step").Select(line => line.Step).ToArray();
        if (!applied.SequenceEqual(Enumerable.Range(1, (int)steps).Select(step => (long)step)))
            yield return $"metrics.jsonl has the steps {string.Join(",", applied)}; expected 1 to {steps}, each once, in order";
        var validated = lines.OfType<MetricLine>().Where(line => line.Kind == "validation").Select(line => line.Step).ToArray();
        if (validated.Length != validated.Distinct().Count()) yield return $"metrics.jsonl has the validations {string.Join(",", validated)}; expected each once";
    }

    /// <summary>Slow is not dead: no silo is lost that nothing has struck.</summary>
    public static IEnumerable<string> Starved(IReadOnlyList<RunEvent> events, IReadOnlyCollection<Strike> strikes) => events
        .Where(happened => happened.Kind == RunEventKind.SiloLost && !strikes.Any(strike => strike.Silos.Any(silo => happened.Text.Contains(silo, StringComparison.Ordinal))))
        .Select(happened => $"after step {happened.Step} {happened.Text}, and nothing had struck it");

    // Whoever survives the death of a worker repeats nothing; one death, or a silo that leaves, costs no step.
    private static IEnumerable<string> Repetitions(RunStatus status, IReadOnlyList<RunEvent> events, IReadOnlyCollection<Strike> strikes)
    {
        // What was repeated for one that was lost without being struck is not the run's fault.
        if (Starved(events, strikes).Any()) yield break;
        if (strikes.All(CostsNoMicroBatch) && status.RepeatedMicroBatches > 0) yield return $"{status.RepeatedMicroBatches} micro-batches were repeated; none had to be";
        if ((strikes.All(strike => strike.Fault.Kind is FaultKind.Drain or FaultKind.Join) || strikes.Count <= 1) && strikes.All(CostsNoStep) && status.ReplayedSteps > 0)
            yield return $"{status.ReplayedSteps} steps were replayed; none had to be";
    }

    private static bool CostsNoMicroBatch(Strike strike) => strike.Fault.Kind switch
    {
        FaultKind.Kill => strike.Silos.Length == 1 && !strike.HitDriver,
        FaultKind.Drain or FaultKind.Join or FaultKind.Redis or FaultKind.SlowDisk => true,
        _ => false,
    };

    private static bool CostsNoStep(Strike strike) => strike.Silos.Length <= 1 && strike.Fault.Kind is not (FaultKind.Cluster or FaultKind.Disk or FaultKind.Flip or FaultKind.Partition);
}
