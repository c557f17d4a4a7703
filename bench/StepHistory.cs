using System.Collections.Immutable;
using System.Text.RegularExpressions;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Bench;

/// <summary>An optimizer step as its run's events tell it.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Tokens">Without padding.</param>
/// <param name="Began">When the step before was applied.</param>
/// <param name="Applied">When this one was: between the two is all that a step costs, transfers, changes of plan and waiting included.</param>
/// <param name="Silos">Those that it was planned on.</param>
internal sealed record AppliedStep(long Number, long Tokens, DateTimeOffset Began, DateTimeOffset Applied, ImmutableArray<string> Silos)
{
    public double Seconds => (Applied - Began).TotalSeconds;

    /// <summary>Tokens per second of the clock.</summary>
    public double Speed => Tokens / Seconds;

    /// <summary>Whether it was planned on just these silos.</summary>
    public bool IsOn(IEnumerable<string> silos) => Silos.Order(StringComparer.Ordinal).SequenceEqual(silos.Order(StringComparer.Ordinal));
}

/// <summary>
/// The steps of a run, from its events. The first, in which libraries load and pages are touched, is where time begins. A step
/// that is done again after a fall-back counts once, and what the repetition took counts for the next new one.
/// </summary>
internal sealed partial class StepHistory
{
    private readonly List<AppliedStep> _steps = [];
    private ImmutableArray<string> _silos = [];
    private RunEvent? _last;

    public IReadOnlyList<AppliedStep> Steps => _steps;

    /// <summary>When the first step had been applied.</summary>
    public DateTimeOffset Origin { get; private set; }

    /// <summary>Takes what a run said, in the order in which it happened.</summary>
    public void Take(IEnumerable<RunEvent> events)
    {
        foreach (var happened in events)
        {
            if (happened is { Kind: RunEventKind.Step, Metric: { } metric }) Take(happened, metric);
            // A run lists who has which shards whenever that changes at a step's boundary, beginning with shard 0.
            else if (Share().Match(happened.Text) is { Success: true } share)
                _silos = share.Groups["first"].Value == "0" ? [share.Groups["silo"].Value] : [.. _silos.Union([share.Groups["silo"].Value], StringComparer.Ordinal)];
        }
    }

    private void Take(RunEvent happened, MetricLine metric)
    {
        if (_last is not null && metric.Step <= _last.Step) return;
        if (_last is null) Origin = happened.Time;
        else _steps.Add(new AppliedStep(metric.Step, metric.Tokens ?? 0, _last.Time, happened.Time, _silos));
        _last = happened;
    }

    [GeneratedRegex(@"^(?<silo>\S+) (cpu|cuda:\d+): shards? (?<first>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Share();
}
