using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>How long a run took over a fault: seconds from the strike, as its own events tell; null: did not happen.</summary>
/// <param name="Detected">Until the run knew: a silo is lost, is leaving, has come, or somebody else drives.</param>
/// <param name="Planned">Until what was lost had been planned anew.</param>
/// <param name="Applied">Until the next optimizer step after that was applied.</param>
internal sealed record Recovery(double? Detected, double? Planned, double? Applied)
{
    /// <summary>Reads a recovery from the events after a strike and before the next.</summary>
    public static Recovery Of(Strike strike, IEnumerable<RunEvent> events)
    {
        var after = events.Where(happened => happened.Time >= strike.Time).ToArray();
        int detected = Array.FindIndex(after, IsDetection);
        int planned = Array.FindIndex(after, Math.Max(0, detected), happened => happened.Kind == RunEventKind.Replanned);
        int applied = Array.FindIndex(after, Math.Max(0, Math.Max(detected, planned)), happened => happened.Kind == RunEventKind.Step);
        double? Seconds(int index) => index < 0 ? null : (after[index].Time - strike.Time).TotalSeconds;
        return new Recovery(Seconds(detected), Seconds(planned), Seconds(applied));

        bool IsDetection(RunEvent happened) => happened.Kind is RunEventKind.SiloLost or RunEventKind.SiloChanged or RunEventKind.Replanned
            && (strike.Silos.IsEmpty || happened.Kind == RunEventKind.Replanned || strike.Silos.Any(name => happened.Text.Contains(name, StringComparison.Ordinal)));
    }
}
