using System.Text.Json;
using System.Text.Json.Serialization;
using GenSlmOrleans.Client.Chaos;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>How a chaos campaign is reported.</summary>
internal static class ChaosText
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>What a run begins with.</summary>
    public static string Beginning(int run, IEnumerable<Fault> schedule) => EventText.Invariant($"run {run}: {string.Join("; ", schedule)}");

    /// <summary>How a run went, a line a strike.</summary>
    public static string Outcome(ChaosOutcome outcome, ulong seed)
    {
        var strikes = outcome.Strikes.Select(struck => EventText.Invariant(
            $"  {struck.Strike}: detected {Seconds(struck.Recovery.Detected)}, planned {Seconds(struck.Recovery.Planned)}, next step {Seconds(struck.Recovery.Applied)}\n"));
        var (status, goodput) = (outcome.Status, outcome.Goodput);
        var numbers = EventText.Invariant(
            $"{outcome.Seconds:F0} s, shards moved {status.ShardsReassigned}, micro-batches repeated {status.RepeatedMicroBatches}, steps replayed {status.ReplayedSteps}, goodput {goodput.Useful:P0}");
        var verdict = outcome.Objections.IsEmpty
            ? EventText.Invariant($"  run {outcome.Run} passed: {numbers}")
            : EventText.Invariant($"  run {outcome.Run} FAILED: {numbers}\n{string.Concat(outcome.Objections.Select(objection => $"    {objection}\n"))}    seed {seed}, run {outcome.Run}; output and logs are in {outcome.Folder}");
        return string.Concat(strikes) + verdict;
    }

    /// <summary>What people read at the end.</summary>
    public static string Table(ChaosReport report)
    {
        var table = Listing.Table(
            ["FAULT", "STRUCK", "IN PHASE", "DETECTED median/max", "PLANNED", "NEXT STEP"],
            report.Kinds.Select(kind => (string[])[Listing.Word(kind.Kind), $"{kind.Strikes}", $"{kind.Aimed}", Cell(kind.Detected), Cell(kind.Planned), Cell(kind.Applied)]));
        var part = report.Goodput;
        var goodput = EventText.Invariant(
            $"goodput {part.Useful:P1} of {part.DeviceSeconds:F0} device seconds; repeated {part.Repeated:P1}, lost with dead silos {part.Lost:P1}, stalled {part.Stalled:P1}, other {part.Other:P1}");
        return $"{table}{goodput}\n{Verdict(report)}";
    }

    /// <summary>The last line.</summary>
    public static string Verdict(ChaosReport report) => report.HasPassed
        ? EventText.Invariant($"PASSED {report.Passed} of {report.Outcomes.Length}")
        : EventText.Invariant($"FAILED {report.Outcomes.Length - report.Passed} of {report.Outcomes.Length}: {string.Join(", ", report.Outcomes.Where(outcome => !outcome.Objections.IsEmpty).Select(outcome => $"run {outcome.Run}"))} of seed {report.Seed}");

    /// <summary>The object that --json prints.</summary>
    public static string Json(ChaosReport report) => JsonSerializer.Serialize(
        new
        {
            report.Seed,
            report.WeightsSha256,
            Runs = report.Outcomes.Length,
            report.Passed,
            report.Kinds,
            report.Goodput,
            Outcomes = report.Outcomes.Select(outcome => new
            {
                outcome.Run,
                Schedule = outcome.Schedule.Select(fault => fault.ToString()),
                Strikes = outcome.Strikes.Select(struck => new { Strike = struck.Strike.ToString(), struck.Strike.Time, struck.Strike.Silos, struck.Recovery }),
                outcome.Status.WeightsSha256,
                outcome.Status.ShardsReassigned,
                outcome.Status.RepeatedMicroBatches,
                outcome.Status.ReplayedSteps,
                outcome.Seconds,
                outcome.Goodput,
                outcome.Objections,
                Folder = outcome.Objections.IsEmpty ? null : outcome.Folder,
            }),
        },
        Options);

    private static string Cell(Spread spread) => spread.Count == 0 ? "–" : EventText.Invariant($"{spread.Median:F2} / {spread.Maximum:F2} s");

    private static string Seconds(double? seconds) => seconds is { } value ? EventText.Invariant($"{value:F2} s") : "–";
}
