using System.Net;

namespace GenSlmOrleans.Client;

/// <summary>What is to be seen of a cluster that does not answer.</summary>
/// <param name="IsThere">Whether it is there, so that it may answer yet.</param>
/// <param name="Text">What is to be seen, as people read it.</param>
internal readonly record struct Sight(bool IsThere, string Text);

/// <summary>Whether a cluster is there although it does not answer: busy, halted, or with the loss of a silo.</summary>
/// <param name="LookAsync">Looks.</param>
/// <param name="Absence">How long nothing may be seen of it before it counts as gone.</param>
internal sealed record ClusterPresence(Func<CancellationToken, Task<Sight>> LookAsync, TimeSpan Absence)
{
    // Whoever keeps its silos up starts others, which takes its time.
    private static readonly TimeSpan ReplacementTime = TimeSpan.FromSeconds(60);

    /// <summary>Of a cluster anywhere: it is there while a gateway takes connections.</summary>
    public static ClusterPresence OfGateways(Func<IReadOnlyList<IPEndPoint>> known) => new(
        async cancellation => await GatewayList.FirstThatAcceptsAsync(known(), cancellation) is { } gateway
            ? new Sight(true, $"{gateway} takes connections")
            : new Sight(false, "no silo takes connections"),
        ReplacementTime);

    /// <summary>Of the cluster that 'genslm up' started: it is there while one of its processes is.</summary>
    public static ClusterPresence OfStanding(Func<IEnumerable<string>> runningSilos) => OfProcesses(runningSilos, ReplacementTime);

    /// <summary>Of a console's own silos, which nobody replaces.</summary>
    public static ClusterPresence OfOwn(Func<IEnumerable<string>> runningSilos) => OfProcesses(runningSilos, TimeSpan.Zero);

    private static ClusterPresence OfProcesses(Func<IEnumerable<string>> runningSilos, TimeSpan absence) => new(
        _ => Task.FromResult(runningSilos().ToArray() switch
        {
            [] => new Sight(false, "none of its silos is running"),
            [var only] => new Sight(true, $"{only} is running"),
            var several => new Sight(true, $"{string.Join(", ", several)} are running"),
        }),
        absence);
}
