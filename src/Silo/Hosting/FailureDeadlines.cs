using System.Collections.Immutable;
using System.Globalization;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// Every deadline that has to do with failures, derived from one number, d: within which time a dead silo is to be
/// noticed. Each is at most the one that encloses it; otherwise an outer deadline would end what an inner one still allows.
/// </summary>
public sealed record FailureDeadlines
{
    /// <summary>How many probes in a row a silo misses until it is declared dead; one silo's vote is enough.</summary>
    public const int MissedProbes = 2;

    private FailureDeadlines(TimeSpan detection) => Detection = detection;

    /// <summary>d: a silo that answers nobody for this long is declared dead. A closed connection is noticed at once.</summary>
    public TimeSpan Detection { get; }

    /// <summary>How long one probe may take: d/2, for two have to be missed.</summary>
    public TimeSpan Probe { get; private init; }

    /// <summary>How often a silo writes that it is alive, and reads who else is: d/2.</summary>
    public TimeSpan Heartbeat { get; private init; }

    /// <summary>How long connecting to a silo, or one command to Redis, may take: 5 s, or 2.5d where that is longer.</summary>
    public TimeSpan Connect { get; private init; }

    /// <summary>After which time without a heartbeat a silo counts as one of an earlier start: 2d.</summary>
    public TimeSpan Stale { get; private init; }

    /// <summary>How long the cluster's own calls may take: 10 s, or 5d where that is longer.</summary>
    public TimeSpan SystemCall { get; private init; }

    /// <summary>How long a call between grains may take, unless its method says otherwise: 30 s, or 10d where that is longer.</summary>
    public TimeSpan Call { get; private init; }

    /// <summary>How long a call waits for the store to take what it changes, before its caller is told that it takes longer: a third of a call.</summary>
    public TimeSpan Store { get; private init; }

    /// <summary>How long an activation of a grain may take, reading its state included: what a call leaves beside the store.</summary>
    public TimeSpan Activation { get; private init; }

    /// <summary>How long a run waits for the store to come back, outside of any call: 120 s, or 40d where that is longer.</summary>
    public TimeSpan StoreOutage { get; private init; }

    /// <summary>How long a silo tries to join, Redis being down included: 30 s, or 10d where that is longer.</summary>
    public TimeSpan Join { get; private init; }

    /// <summary>How long a silo told to leave has to hand over what it holds. A setting of its own.</summary>
    public TimeSpan Drain { get; private init; }

    /// <summary>How long a silo that has handed over has to stop in order: 10 s, or 5d where that is longer.</summary>
    public TimeSpan Stop { get; private init; }

    /// <summary>The deadlines of a silo.</summary>
    /// <exception cref="ArgumentException">An inner deadline exceeds an outer one; the message names both.</exception>
    public static FailureDeadlines Derive(TimeSpan failureDetection, TimeSpan drainTimeout) => new FailureDeadlines(failureDetection)
    {
        Probe = failureDetection / MissedProbes,
        Heartbeat = failureDetection / 2,
        Connect = Longer(TimeSpan.FromSeconds(5), 2.5 * failureDetection),
        Stale = 2 * failureDetection,
        SystemCall = Longer(TimeSpan.FromSeconds(10), 5 * failureDetection),
        Call = Longer(TimeSpan.FromSeconds(30), 10 * failureDetection),
        Store = Longer(TimeSpan.FromSeconds(10), 10.0 / 3 * failureDetection),
        Activation = Longer(TimeSpan.FromSeconds(30), 10 * failureDetection) - Longer(TimeSpan.FromSeconds(10), 10.0 / 3 * failureDetection),
        StoreOutage = Longer(TimeSpan.FromSeconds(120), 40 * failureDetection),
        Join = Longer(TimeSpan.FromSeconds(30), 10 * failureDetection),
        Drain = drainTimeout,
        Stop = Longer(TimeSpan.FromSeconds(10), 5 * failureDetection),
    }.Checked();

    /// <summary>The same deadlines if each is at most the one that encloses it.</summary>
    /// <exception cref="ArgumentException">An inner deadline exceeds an outer one; the message names both.</exception>
    public FailureDeadlines Checked()
    {
        foreach (var (inner, outer) in Nesting)
        {
            var (innerTime, outerTime) = (Named[inner](this), Named[outer](this));
            if (innerTime > outerTime)
                throw new ArgumentException($"The deadline '{inner}' is {Text(innerTime)}, longer than '{outer}', which encloses it and is {Text(outerTime)}; raise the outer one or lower failure-detection.");
        }

        return this;
    }

    /// <summary>All of them in one line, by name, in seconds.</summary>
    public override string ToString() => string.Join(", ", Order.Select(name => $"{name} {Text(Named[name](this))}"));

    private static readonly ImmutableArray<string> Order = ["probe", "heartbeat", "failure-detection", "connect", "stale", "system call", "store", "activation", "call", "store outage", "join", "drain-timeout", "stop"];

    private static readonly ImmutableDictionary<string, Func<FailureDeadlines, TimeSpan>> Named = new Dictionary<string, Func<FailureDeadlines, TimeSpan>>(StringComparer.Ordinal)
    {
        ["probe"] = deadlines => deadlines.Probe,
        ["heartbeat"] = deadlines => deadlines.Heartbeat,
        ["failure-detection"] = deadlines => deadlines.Detection,
        ["connect"] = deadlines => deadlines.Connect,
        ["stale"] = deadlines => deadlines.Stale,
        ["system call"] = deadlines => deadlines.SystemCall,
        ["store"] = deadlines => deadlines.Store,
        ["activation"] = deadlines => deadlines.Activation,
        ["call"] = deadlines => deadlines.Call,
        ["store outage"] = deadlines => deadlines.StoreOutage,
        ["join"] = deadlines => deadlines.Join,
        ["drain-timeout"] = deadlines => deadlines.Drain,
        ["stop"] = deadlines => deadlines.Stop,
    }.ToImmutableDictionary();

    private static readonly ImmutableArray<(string Inner, string Outer)> Nesting =
    [
        ("probe", "failure-detection"),
        ("heartbeat", "failure-detection"),
        ("failure-detection", "stale"),
        ("connect", "system call"),
        ("failure-detection", "system call"),
        ("system call", "call"),
        // One command to Redis within a write, and the one that reads a grain's state within its activation.
        ("connect", "store"),
        ("connect", "activation"),
        ("store", "call"),
        ("activation", "call"),
        ("store", "store outage"),
        ("failure-detection", "stop"),
        ("stale", "join"),
        ("system call", "join"),
        // A silo that leaves must outlast the death of the one it hands over to.
        ("failure-detection", "drain-timeout"),
    ];

    private static TimeSpan Longer(TimeSpan a, TimeSpan b) => a > b ? a : b;

    private static string Text(TimeSpan time) => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###} s");
}
