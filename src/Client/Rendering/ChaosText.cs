using System.Text.Json;
using System.Text.Json.Serialization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Chaos;
using GenSlmOrleans.Client.Options;

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

    /// <summary>What runs have in common that others have not: the settings that differ from the defaults of 'genslm train'.</summary>
    public static string Settings(RunSpec spec) => $"settings: {string.Join(' ', Differences(spec))}";

    /// <summary>How the run went that the others are compared with.</summary>
    public static string Undisturbed(ChaosOutcome outcome) => EventText.Invariant(
        $"undisturbed: {outcome.Status.Step} steps in {outcome.Status.Seconds:F1} s, {outcome.Seconds:F0} s with its cluster; weights sha256 {outcome.Status.WeightsSha256}");

    /// <summary>What a run begins with.</summary>
    public static string Beginning(int run, IEnumerable<Fault> schedule, Replacement replacement, TimeSpan expected) =>
        EventText.Invariant($"run {run}, about {expected.TotalSeconds:F0} s, silos replaced {Listing.Word(replacement)}: {string.Join("; ", schedule)}");

    /// <summary>The settings that differ from the defaults, as the console takes them; of files the names.</summary>
    public static IEnumerable<string> Differences(RunSpec spec)
    {
        var defaults = new TrainSettings { Spec = new RunSpec() };
        var settings = new TrainSettings { Spec = spec with { Data = "", ValData = Path.GetFileName(spec.ValData), TestData = Path.GetFileName(spec.TestData), Weights = Path.GetFileName(spec.Weights) } };
        return RunOptions.OfSpec.Where(option => option.Get(settings) != option.Get(defaults)).Select(option => $"{option.OptionName} {option.Get(settings)}");
    }

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
            : EventText.Invariant($"  run {outcome.Run} FAILED: {numbers}\n{string.Concat(outcome.Objections.Select(objection => $"    {objection}\n"))}    {Settings(outcome.Spec)}\n    seed {seed}, run {outcome.Run}; output and logs are in {outcome.Folder}");
        return string.Concat(strikes) + verdict;
    }

    /// <summary>What people read at the end.</summary>
    public static string Table(ChaosReport report)
    {
        var table = Listing.Table(
            ["FAULT", "REPLACED", "STRUCK", "IN PHASE", "DETECTED median/max", "PLANNED", "NEXT STEP", "BEYOND A STEP"],
            report.Kinds.Select(kind => (string[])[Listing.Word(kind.Kind), Listing.Word(kind.Replacement), $"{kind.Strikes}", $"{kind.Aimed}", Cell(kind.Detected), Cell(kind.Planned), Cell(kind.Applied), Cell(kind.BeyondStep)]));
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
            Runs = report.Outcomes.Length,
            report.Passed,
            report.Kinds,
            report.Goodput,
            Outcomes = report.Outcomes.Select(outcome => new
            {
                outcome.Run,
                outcome.Replacement,
                Settings = Differences(outcome.Spec),
                Schedule = outcome.Schedule.Select(fault => fault.ToString()),
                Strikes = outcome.Strikes.Select(struck => new { Strike = struck.Strike.ToString(), struck.Strike.Time, struck.Strike.Silos, struck.Recovery }),
                outcome.Status.WeightsSha256,
                outcome.Status.ShardsReassigned,
                outcome.Status.RepeatedMicroBatches,
                outcome.Status.ReplayedSteps,
                outcome.Seconds,
                outcome.StepSeconds,
                outcome.Goodput,
                outcome.Objections,
                Folder = outcome.Objections.IsEmpty ? null : outcome.Folder,
            }),
        },
        Options);

    private static string Cell(Spread spread) => spread.Count == 0 ? "–" : EventText.Invariant($"{spread.Median:F2} / {spread.Maximum:F2} s");

    private static string Seconds(double? seconds) => seconds is { } value ? EventText.Invariant($"{value:F2} s") : "–";
}
