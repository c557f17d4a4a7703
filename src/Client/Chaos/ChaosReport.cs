using System.Collections.Immutable;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>Median and maximum of seconds.</summary>
/// <param name="Count">Of how many; of none the rest is meaningless.</param>
internal sealed record Spread(int Count, double Median, double Maximum)
{
    public static Spread Of(IEnumerable<double?> seconds)
    {
        var sorted = seconds.OfType<double>().Order().ToArray();
        if (sorted.Length == 0) return new Spread(0, 0, 0);
        int middle = sorted.Length / 2;
        double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        return new Spread(sorted.Length, median, sorted[^1]);
    }
}

/// <summary>How runs took one kind of fault: seconds from the strike.</summary>
/// <param name="Kind">Which.</param>
/// <param name="Replacement">When silos that ended were replaced: one that starts on the same cores takes them from the recovery.</param>
/// <param name="Strikes">How often it struck.</param>
/// <param name="Aimed">How often of those in the phase that it was meant for.</param>
/// <param name="Detected">Until the run knew.</param>
/// <param name="Planned">Until it had planned anew.</param>
/// <param name="Applied">Until the next optimizer step was applied.</param>
/// <param name="BeyondStep">The same less what an undisturbed step of that run took: its window has to be computed in any case.</param>
internal sealed record KindReport(FaultKind Kind, Replacement Replacement, int Strikes, int Aimed, Spread Detected, Spread Planned, Spread Applied, Spread BeyondStep)
{
    /// <summary>Of strikes of one kind, each with the undisturbed step of its run.</summary>
    public static KindReport Of(FaultKind kind, Replacement replacement, IReadOnlyCollection<(Strike Strike, Recovery Recovery, double? StepSeconds)> struck) => new(
        kind,
        replacement,
        struck.Count,
        struck.Count(one => one.Strike.Aimed),
        Spread.Of(struck.Select(one => one.Recovery.Detected)),
        Spread.Of(struck.Select(one => one.Recovery.Planned)),
        Spread.Of(struck.Select(one => one.Recovery.Applied)),
        Spread.Of(struck.Select(one => one.Recovery.Applied - one.StepSeconds)));
}

/// <summary>What a campaign came to.</summary>
/// <param name="Seed">Of its faults and settings.</param>
/// <param name="Outcomes">Run by run.</param>
internal sealed record ChaosReport(ulong Seed, ImmutableArray<ChaosOutcome> Outcomes)
{
    public int Passed => Outcomes.Count(outcome => outcome.Objections.IsEmpty);

    public bool HasPassed => Passed == Outcomes.Length;

    public ImmutableArray<KindReport> Kinds =>
    [
        .. Outcomes.SelectMany(outcome => outcome.Strikes.Select(struck => (outcome.Replacement, Struck: (struck.Strike, struck.Recovery, outcome.StepSeconds))))
            .GroupBy(struck => (struck.Struck.Strike.Fault.Kind, struck.Replacement))
            .OrderBy(kind => kind.Key)
            .Select(kind => KindReport.Of(kind.Key.Kind, kind.Key.Replacement, [.. kind.Select(struck => struck.Struck)])),
    ];

    public Goodput Goodput => Goodput.Sum([.. Outcomes.Select(outcome => outcome.Goodput)]);
}
