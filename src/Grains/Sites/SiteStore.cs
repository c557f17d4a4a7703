using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// The sites of this silo, one a run, and the latest driver that has spoken of each run here: the fence. A run that was closed with
/// a generation is not opened again by that one or an earlier one, however late its messages come.
/// </summary>
public sealed class SiteStore(SiteResources resources, ILocalSiloDetails silo)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Site> _sites = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Latest> _latest = new(StringComparer.Ordinal);

    private readonly record struct Latest(long Generation, bool IsClosed);

    /// <summary>The runs that have something here.</summary>
    public ImmutableArray<string> Runs
    {
        get
        {
            lock (_lock) return [.. _sites.Keys];
        }
    }

    /// <summary>Whether all that runs have placed here has arrived.</summary>
    public bool IsFilled
    {
        get
        {
            lock (_lock) return _sites.Values.All(site => site.IsFilled);
        }
    }

    /// <summary>The site of a run; null when there is none.</summary>
    internal Site? Find(string runId)
    {
        lock (_lock) return _sites.GetValueOrDefault(runId);
    }

    /// <summary>The site of a run, opened when there is none.</summary>
    /// <exception cref="SupersededException">A later generation has been here.</exception>
    /// <exception cref="StaleMessageException">This generation has been closed here.</exception>
    internal Site Open(Fence fence, RunContext context)
    {
        lock (_lock)
        {
            if (CheckLatest(fence).IsClosed) throw new StaleMessageException($"Run {fence.RunId} was closed on {silo.Name} with generation {fence.Generation}.");
            return _sites.TryGetValue(fence.RunId, out var site) ? site : _sites[fence.RunId] = new Site(context, silo.Name, resources);
        }
    }

    /// <summary>Refuses what comes from a driver that another has taken over from.</summary>
    /// <exception cref="SupersededException">A later generation has been here.</exception>
    internal void Check(Fence fence)
    {
        lock (_lock) CheckLatest(fence);
    }

    /// <summary>Lets go of everything a run has here.</summary>
    /// <exception cref="SupersededException">A later generation has been here.</exception>
    internal async Task CloseAsync(Fence fence)
    {
        Site? site;
        bool isLast;
        lock (_lock)
        {
            CheckLatest(fence);
            _latest[fence.RunId] = new Latest(fence.Generation, IsClosed: true);
            _sites.Remove(fence.RunId, out site);
            isLast = _sites.Count == 0;
        }

        if (site is null) return;
        await site.CloseAsync();
        if (isLast) BlockBuffers.Trim();
    }

    /// <summary>Breaks off what all runs compute here: the silo is leaving, and what it holds is handed over at once.</summary>
    public void AbandonWindows()
    {
        lock (_lock)
            foreach (var site in _sites.Values) site.Window?.Abandon();
    }

    private Latest CheckLatest(Fence fence)
    {
        var known = _latest.GetValueOrDefault(fence.RunId);
        if (known.Generation > fence.Generation)
            throw new SupersededException($"The message for run {fence.RunId} is of generation {fence.Generation}; generation {known.Generation} has taken over.");
        if (known.Generation < fence.Generation) _latest[fence.RunId] = known = new Latest(fence.Generation, IsClosed: false);
        return known;
    }
}
