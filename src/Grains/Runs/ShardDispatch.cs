using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>How a dispatch reaches the silos.</summary>
/// <param name="Accumulate">Has a silo compute a range.</param>
/// <param name="Yield">Has a silo give up half of what it has not started.</param>
/// <param name="Abandon">Has a silo break off what it is at.</param>
/// <param name="Replenish">Waits until there is a silo with a device again.</param>
/// <param name="Interrupted">Completes when the step is not to be ended.</param>
/// <param name="Changed">Completes when devices have become ready since it was asked for.</param>
internal sealed record DispatchCalls(
    Func<WorkingSite, ShardRange, Task<WindowReport>> Accumulate,
    Func<string, Task<ShardRange>> Yield,
    Func<string, Task> Abandon,
    Func<Task> Replenish,
    Task Interrupted,
    Func<Task> Changed);

/// <summary>
/// Brings one step's shards to silos and sees to it that each gets its window: orphans of a silo that is lost go to those that
/// are left, and shards that a slow silo has not started go to one that is idle.
/// </summary>
internal sealed class ShardDispatch(DevicePool pool, RunJournal journal, ClusterMetrics metrics, string runId, int shardCount, DispatchCalls calls)
{
    private readonly Dictionary<string, Queue<ShardRange>> _assigned = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Work> _computing = new(StringComparer.Ordinal);
    private readonly Dictionary<Task, Work> _running = [];
    private readonly Queue<ShardRange> _orphans = new();
    private readonly List<ShardRange> _failed = [];

    /// <summary>A call to a silo.</summary>
    private sealed class Work(string silo, ShardRange shards)
    {
        public string Silo { get; } = silo;

        /// <summary>Shrinks when the silo gives shards up.</summary>
        public ShardRange Shards { get; set; } = shards;

        /// <summary>The idle silo that a yield is for; null: the work is a window.</summary>
        public string? For { get; init; }

        public bool HasYieldedAll { get; set; }

        /// <summary>Whether it is being asked to give shards up.</summary>
        public bool IsYielding { get; set; }
    }

    /// <summary>Shards that were computed by another silo than the one they were given to first.</summary>
    public int Reassigned { get; private set; }

    public int Repeated { get; private set; }

    /// <summary>Has all of <paramref name="shards"/> computed.</summary>
    /// <param name="shards">What is to be computed.</param>
    /// <param name="inFlight">What silos are at already, for a driver that is gone: they are asked for just that first.</param>
    /// <exception cref="StepAbandonedException">The step is not to be ended.</exception>
    public async Task RunAsync(ImmutableArray<ShardRange> shards, IReadOnlyDictionary<string, ShardRange> inFlight)
    {
        Assign(shards, inFlight);
        var changed = calls.Changed();
        while (true)
        {
            await FillAsync();
            if (_computing.Count == 0 && _orphans.Count == 0) return;
            var done = await Task.WhenAny(_running.Keys.Append(changed).Append(calls.Interrupted));
            if (calls.Interrupted.IsCompleted) await AbandonAsync();
            if (changed.IsCompleted) changed = calls.Changed();
            if (!_running.Remove(done, out var work)) continue;
            if (work.For is not null) await YieldedAsync(work, (Task<ShardRange>)done);
            else await EndedAsync(work, (Task<WindowReport>)done);
        }
    }

    private void Assign(ImmutableArray<ShardRange> shards, IReadOnlyDictionary<string, ShardRange> inFlight)
    {
        foreach (var (silo, range) in inFlight) QueueOf(silo).Enqueue(range);
        var rest = ShardSet.Except(shardCount, shards, inFlight.Values);
        var sites = pool.Sites;
        if (sites.IsEmpty)
        {
            foreach (var range in rest) _orphans.Enqueue(range);
            return;
        }

        var spread = ShardPlacement.Spread(rest, sites);
        for (int i = 0; i < sites.Length; i++)
            foreach (var range in spread[i]) QueueOf(sites[i].Silo).Enqueue(range);
    }

    /// <summary>Gives every idle silo something to do.</summary>
    private async Task FillAsync()
    {
        while (true)
        {
            var sites = pool.Sites;
            var fetching = _running.Values.Select(work => work.For).OfType<string>().ToHashSet(StringComparer.Ordinal);
            foreach (var site in sites)
            {
                if (_computing.ContainsKey(site.Silo) || fetching.Contains(site.Silo)) continue;
                if (QueueOf(site.Silo).TryDequeue(out var range) || _orphans.TryDequeue(out range)) Start(site, range);
                else Steal(site.Silo);
            }

            DropQueuesOfTheLost(sites);
            // A silo that waits for another to give shards up is not idle: what comes of it is seen first.
            if (_running.Count > 0 || _orphans.Count == 0) return;
            await calls.Replenish();
        }
    }

    private void Start(WorkingSite site, ShardRange range) =>
        _running[calls.Accumulate(site, range)] = _computing[site.Silo] = new Work(site.Silo, range);

    // The silo with the most shards in hand is asked to give up those it has not started.
    private void Steal(string idle)
    {
        Work? victim = null;
        foreach (var work in _computing.Values)
            if (!work.HasYieldedAll && !work.IsYielding && work.Shards.Count > 1 && (victim is null || work.Shards.Count > victim.Shards.Count)) victim = work;
        if (victim is null) return;
        victim.IsYielding = true;
        _running[calls.Yield(victim.Silo)] = new Work(victim.Silo, victim.Shards) { For = idle };
    }

    private async Task YieldedAsync(Work work, Task<ShardRange> answer)
    {
        var victim = _computing.GetValueOrDefault(work.Silo);
        if (victim is not null) victim.IsYielding = false;
        ShardRange given = default;
        try
        {
            given = await answer;
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Its window's end tells what became of it.
        }

        if (victim is not null && given.Count == 0) victim.HasYieldedAll = true;
        if (given.Count == 0) return;
        if (victim is not null) victim.Shards = victim.Shards with { End = Math.Min(victim.Shards.End, given.First) };
        _orphans.Enqueue(given);
        Reassigned += given.Count;
        metrics.ShardsReassigned(runId, "slow", given.Count);
    }

    private async Task EndedAsync(Work work, Task<WindowReport> done)
    {
        _computing.Remove(work.Silo);
        try
        {
            var report = await done;
            Repeated += report.Repeated;
            foreach (var device in report.SetAside) journal.Warn($"{device}; it is set aside, and its silo's other devices did its shards");
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception) || exception is DevicesStuckException)
        {
            if (exception is DevicesStuckException) journal.Warn($"{exception.Message}; it is set aside");
            Lose(work, exception);
        }
        catch (Exception exception) when (CallFailure.MayBeOfTheSilo(exception) && MayBeOfThisSiloAlone(work.Shards))
        {
            journal.Warn($"{work.Silo} failed: {exception.Message.Split('\n')[0]}");
            _failed.Add(work.Shards);
            Lose(work, exception);
        }
    }

    private void Lose(Work work, Exception exception)
    {
        pool.Lose(work.Silo);
        var orphans = new List<ShardRange> { work.Shards };
        while (QueueOf(work.Silo).TryDequeue(out var range)) orphans.Add(range);
        Orphan(work.Silo, orphans, exception);
    }

    // The same on another silo is no fault of the device's.
    private bool MayBeOfThisSiloAlone(ShardRange shards) =>
        pool.Sites.Length > 1 && !_failed.Any(range => range.First < shards.End && shards.First < range.End);

    private void DropQueuesOfTheLost(ImmutableArray<WorkingSite> sites)
    {
        foreach (var (silo, queue) in _assigned)
        {
            if (queue.Count == 0 || _computing.ContainsKey(silo) || sites.Any(site => site.Silo == silo)) continue;
            Orphan(silo, [.. queue], null);
            queue.Clear();
        }
    }

    private void Orphan(string silo, List<ShardRange> orphans, Exception? reason)
    {
        foreach (var range in orphans.Where(range => range.Count > 0))
        {
            // In pieces, so that all that are left can take their part.
            foreach (var piece in ShardPlacement.Spread([range], Math.Max(1, pool.Sites.Length)).SelectMany(pieces => pieces)) _orphans.Enqueue(piece);
        }

        int count = ShardSet.Count(orphans);
        Reassigned += count;
        metrics.ShardsReassigned(runId, "lost", count);
        if (count > 0) journal.Replanned($"{silo} is lost to the step ({Short(reason)}); {string.Join(", ", orphans)} moved to the silos that are left");
    }

    private async Task AbandonAsync()
    {
        await Task.WhenAll(_computing.Keys.Select(async silo =>
        {
            try
            {
                await calls.Abandon(silo);
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                // What it was at is gone with it.
            }
        }));
        throw new StepAbandonedException();
    }

    private static string Short(Exception? reason) => reason switch
    {
        null => "not a member",
        DevicesStuckException => "it hangs",
        TimeoutException => "no answer",
        StaleMessageException => reason.Message,
        OperationCanceledException or ObjectDisposedException => "it is leaving",
        NotAMemberException or OrleansException => "it is gone",
        _ => "it failed",
    };

    private Queue<ShardRange> QueueOf(string silo)
    {
        if (!_assigned.TryGetValue(silo, out var queue)) _assigned[silo] = queue = new Queue<ShardRange>();
        return queue;
    }
}
