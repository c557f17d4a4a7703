using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Client.Local;

/// <summary>A silo process of this console's own, as far as its end goes.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Ended">Completes when the process has ended.</param>
/// <param name="Obituary">What to say then: the exit code, the log and its last lines.</param>
internal sealed record SiloEnd(string Name, Task Ended, Func<string> Obituary);

/// <summary>Tells of silos of this console's own that end while a run lives on them; it goes on as long as one is left.</summary>
internal sealed class SiloEnds(IReadOnlyCollection<SiloEnd> silos)
{
    private static readonly Task Never = new TaskCompletionSource().Task;

    private readonly List<SiloEnd> _alive = [.. silos];
    private readonly bool _onlyOne = silos.Count == 1;
    private Task? _next;

    /// <summary>Of a cluster whose processes are not this console's.</summary>
    public static SiloEnds None => new([]);

    /// <summary>Completes when one ends that has not been told of.</summary>
    public Task Next => _next ??= _alive.Count == 0 ? Never : Task.WhenAny(_alive.Select(silo => silo.Ended));

    /// <summary>Tells of those that have ended since.</summary>
    /// <exception cref="ClusterException">It was the last; the message has the end of its log.</exception>
    public void Tell(IProgressView view)
    {
        foreach (var silo in _alive.Where(silo => silo.Ended.IsCompleted).ToArray())
        {
            _alive.Remove(silo);
            _next = null;
            if (_alive.Count == 0) throw new ClusterException($"{(_onlyOne ? "A silo ended unexpectedly" : $"All silos have ended, {silo.Name} as the last")}: {silo.Obituary()}");
            view.Note($"{silo.Name} has ended ({silo.Obituary().Split('\n')[0]}); the run goes on");
        }
    }
}
