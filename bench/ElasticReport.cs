using System.Collections.Immutable;
using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>What a phase came to.</summary>
/// <param name="Name">What it began with.</param>
/// <param name="Silos">How many there then were.</param>
/// <param name="Steps">Steps on just those.</param>
/// <param name="Speed">Median of their tokens per second; NaN: there was none.</param>
/// <param name="NextStep">Seconds from the event to the next step applied; null: the run begins.</param>
/// <param name="NewSpeed">Seconds from the event to the first step applied that was planned on just these silos.</param>
internal sealed record PhaseResult(string Name, int Silos, int Steps, double Speed, double? NextStep, double? NewSpeed);

/// <summary>Tokens per second through the phases of a run: the table that people read and the one that is drawn.</summary>
internal static class ElasticReport
{
    /// <summary>The phases of a run that is over.</summary>
    public static ImmutableArray<PhaseResult> Phases(IReadOnlyList<BegunPhase> phases, IReadOnlyList<AppliedStep> steps) =>
    [
        .. phases.Select((begun, i) =>
        {
            var end = i + 1 < phases.Count ? phases[i + 1].Time : DateTimeOffset.MaxValue;
            // The step in which the next event falls is neither fish nor fowl.
            AppliedStep[] own = [.. steps.Where(step => step.Began > begun.Time && step.Applied < end && step.IsOn(begun.Phase.Silos))];
            var next = steps.FirstOrDefault(step => step.Applied > begun.Time);
            double? Since(AppliedStep? step) => i == 0 || step is null ? null : (step.Applied - begun.Time).TotalSeconds;
            return new PhaseResult(
                begun.Phase.Name, begun.Phase.Silos.Length, own.Length, own.Length == 0 ? double.NaN : Measurement.Median(own.Select(step => step.Speed)), Since(next), Since(own.FirstOrDefault()));
        }),
    ];

    /// <summary>A table in Markdown.</summary>
    public static string Table(ImmutableArray<PhaseResult> phases)
    {
        string[][] rows =
        [
            ["phase", "silos", "steps", "tokens/s, median", "ratio to one silo", "s to next step", "s to new speed"],
            .. phases.Select(phase => (string[])
            [
                phase.Name, Text($"{phase.Silos}"), Text($"{phase.Steps}"), Text($"{phase.Speed:F1}"), Text($"{phase.Speed / phases[0].Speed:F2}"), Seconds(phase.NextStep), Seconds(phase.NewSpeed),
            ]),
        ];
        int[] widths = [.. rows[0].Select((_, column) => rows.Max(row => row[column].Length))];
        string Line(string[] row) => $"| {string.Join(" | ", row.Select((cell, column) => column == 0 ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column])))} |\n";
        var rule = $"|{string.Join('|', widths.Select((width, column) => $"{new string('-', width + 1)}{(column == 0 ? '-' : ':')}"))}|\n";
        return $"{Line(rows[0])}{rule}{string.Concat(rows.Skip(1).Select(Line))}";
    }

    /// <summary>Writes the table that bench/Plot draws: each step and each event, in seconds since the first step was applied.</summary>
    public static void WriteCsv(string path, StepHistory history, IReadOnlyList<BegunPhase> phases)
    {
        double Time(DateTimeOffset time) => (time - history.Origin).TotalSeconds;
        IEnumerable<string> lines =
        [
            "kind,name,start_seconds,end_seconds,tokens_per_second,silos",
            .. history.Steps.Select(step => Text($"step,{step.Number},{Time(step.Began):F3},{Time(step.Applied):F3},{step.Speed:F1},{step.Silos.Length}")),
            .. phases.Skip(1).Select(begun => Text($"event,{begun.Phase.Name},{Time(begun.Time):F3},,,{begun.Phase.Silos.Length}")),
        ];
        File.WriteAllLines(path, lines);
    }

    private static string Seconds(double? seconds) => seconds is { } value ? Text($"{value:F1}") : "–";

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
