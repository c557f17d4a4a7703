using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>How long a run took over a fault: seconds from the strike, as its own events tell; null: did not happen.</summary>
/// <param name="Detected">Until the run knew: a silo is lost, is leaving, has come, or somebody else drives.</param>
/// <param name="Planned">Until what was lost had been planned anew.</param>
/// <param name="Applied">Until the next optimizer step after that was applied.</param>
internal sealed record Recovery(double? Detected, double? Planned, double? Applied)
{
    /// <summary>The recoveries from strikes in the order of time, each from the events before the next.</summary>
    public static ImmutableArray<(Strike Strike, Recovery Recovery)> OfAll(IReadOnlyList<Strike> strikes, IReadOnlyList<RunEvent> events) =>
        [.. strikes.Select((strike, i) => (strike, Of(strike, events.Where(happened => i + 1 == strikes.Count || happened.Time < strikes[i + 1].Time))))];

    /// <summary>Median seconds between two steps with no strike between them or right before; null: there are none.</summary>
    public static double? UndisturbedStep(IReadOnlyCollection<Strike> strikes, IEnumerable<RunEvent> events)
    {
        var steps = events.Where(happened => happened.Kind == RunEventKind.Step).Select(happened => happened.Time).ToArray();
        var seconds = steps.Zip(steps.Skip(1))
            .Where((_, index) => !strikes.Any(strike => strike.Time > steps[Math.Max(0, index - 1)] && strike.Time <= steps[index + 1]))
            .Select(pair => (double?)(pair.Second - pair.First).TotalSeconds);
        return Spread.Of(seconds) is { Count: > 0 } spread ? spread.Median : null;
    }

    /// <summary>Whether a step was applied after the run knew that a silo, of which it knew from <paramref name="started"/> on at the earliest, is gone or leaves.</summary>
    public static bool HasGoneOnWithout(string silo, DateTimeOffset started, IEnumerable<RunEvent> events)
    {
        var later = events.Where(happened => happened.Time > started).ToArray();
        int known = Array.FindLastIndex(later, happened => happened.Kind is RunEventKind.SiloLost or RunEventKind.SiloChanged && happened.Text.Contains(silo, StringComparison.Ordinal));
        return known >= 0 && later.Skip(known).Any(happened => happened.Kind == RunEventKind.Step);
    }

    /// <summary>Reads a recovery from the events after a strike and before the next.</summary>
    public static Recovery Of(Strike strike, IEnumerable<RunEvent> events)
    {
        var after = events.Where(happened => happened.Time >= strike.Time).ToArray();
        int detected = Array.FindIndex(after, IsDetection);
        int planned = detected < 0 ? -1 : Array.FindIndex(after, detected, happened => happened.Kind == RunEventKind.Replanned);
        int applied = Array.FindIndex(after, Math.Max(0, Math.Max(detected, planned)), happened => happened.Kind == RunEventKind.Step);
        double? Seconds(int index) => index < 0 ? null : (after[index].Time - strike.Time).TotalSeconds;
        return new Recovery(Seconds(detected), Seconds(planned), Seconds(applied));

        bool IsDetection(RunEvent happened) => happened.Kind switch
        {
            RunEventKind.Replanned => true,
            RunEventKind.SiloLost or RunEventKind.SiloChanged => strike.Silos.IsEmpty || strike.Silos.Any(name => happened.Text.Contains(name, StringComparison.Ordinal)),
            _ => false,
        };
    }
}
