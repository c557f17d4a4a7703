using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Brings one step's shards to devices and sees to it that each gets its window: orphans of a device that is lost go to
/// those that are left, and shards that a slow device has not started go to one that is idle.
/// </summary>
internal sealed class ShardDispatch(DevicePool pool, RunJournal journal, ClusterMetrics metrics, string runId, int shardCount)
{
    private readonly Dictionary<DeviceName, Queue<ShardRange>> _assigned = [];
    private readonly Dictionary<Task, Work> _running = [];
    private readonly Queue<ShardRange> _orphans = new();

    /// <summary>A call to a device.</summary>
    private sealed class Work(DeviceName device, ShardRange shards, bool isYield)
    {
        public DeviceName Device { get; } = device;

        /// <summary>Shrinks when the device gives shards up.</summary>
        public ShardRange Shards { get; set; } = shards;

        public bool IsYield { get; } = isYield;

        public DeviceName For { get; init; }

        public bool HasYieldedAll { get; set; }
    }

    /// <summary>Shards that were computed by another device than the one they were given to first.</summary>
    public int Reassigned { get; private set; }

    public int Repeated { get; private set; }

    /// <summary>Has all of <paramref name="shards"/> computed.</summary>
    /// <param name="shards">What is to be computed.</param>
    /// <param name="inFlight">What devices are at already, for a driver that is gone: they are asked for just that first.</param>
    /// <param name="accumulate">Has a device compute a range.</param>
    /// <param name="yield">Has a device give up half of what it has not started.</param>
    /// <param name="replenish">Waits until there is a device again.</param>
    public async Task RunAsync(
        ImmutableArray<ShardRange> shards,
        IReadOnlyDictionary<DeviceName, ShardRange> inFlight,
        Func<DeviceName, ShardRange, Task<WindowReport>> accumulate,
        Func<DeviceName, Task<ShardRange>> yield,
        Func<Task> replenish)
    {
        Assign(shards, inFlight);
        while (true)
        {
            await FillAsync(accumulate, yield, replenish);
            if (_running.Values.All(work => work.IsYield) && _orphans.Count == 0) return;
            var done = await Task.WhenAny(_running.Keys);
            if (!_running.Remove(done, out var work)) continue;
            if (work.IsYield) await YieldedAsync(work, (Task<ShardRange>)done);
            else await EndedAsync(work, (Task<WindowReport>)done);
        }
    }

    private void Assign(ImmutableArray<ShardRange> shards, IReadOnlyDictionary<DeviceName, ShardRange> inFlight)
    {
        foreach (var (device, range) in inFlight) QueueOf(device).Enqueue(range);
        var rest = ShardSet.Except(shardCount, shards, inFlight.Values);
        var devices = pool.Ready;
        if (devices.IsEmpty)
        {
            foreach (var range in rest) _orphans.Enqueue(range);
            return;
        }

        var spread = ShardPlacement.Spread(rest, devices.Length);
        for (int i = 0; i < devices.Length; i++)
            foreach (var range in spread[i]) QueueOf(devices[i]).Enqueue(range);
    }

    /// <summary>Gives every idle device something to do.</summary>
    private async Task FillAsync(Func<DeviceName, ShardRange, Task<WindowReport>> accumulate, Func<DeviceName, Task<ShardRange>> yield, Func<Task> replenish)
    {
        while (true)
        {
            foreach (var device in pool.Ready)
            {
                if (_running.Values.Any(work => work.Device == device && !work.IsYield || work.IsYield && work.For == device)) continue;
                if (QueueOf(device).TryDequeue(out var range) || _orphans.TryDequeue(out range)) Start(device, range, accumulate);
                else Steal(device, yield);
            }

            DropQueuesOfTheLost();
            if (_running.Values.Any(work => !work.IsYield) || _orphans.Count == 0) return;
            await replenish();
        }
    }

    private void Start(DeviceName device, ShardRange range, Func<DeviceName, ShardRange, Task<WindowReport>> accumulate) =>
        _running[accumulate(device, range)] = new Work(device, range, isYield: false);

    // The device with the most shards in hand is asked to give up those it has not started.
    private void Steal(DeviceName idle, Func<DeviceName, Task<ShardRange>> yield)
    {
        var victim = _running.Values
            .Where(work => !work.IsYield && !work.HasYieldedAll && work.Shards.Count > 1)
            .Where(work => !_running.Values.Any(other => other.IsYield && other.Device == work.Device))
            .MaxBy(work => work.Shards.Count);
        if (victim is not null) _running[yield(victim.Device)] = new Work(victim.Device, victim.Shards, isYield: true) { For = idle };
    }

    private async Task YieldedAsync(Work work, Task<ShardRange> answer)
    {
        var victim = _running.Values.FirstOrDefault(other => !other.IsYield && other.Device == work.Device);
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
        try
        {
            Repeated += (await done).Repeated;
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            pool.Lose(work.Device);
            var orphans = new List<ShardRange> { work.Shards };
            while (QueueOf(work.Device).TryDequeue(out var range)) orphans.Add(range);
            Orphan(work.Device, orphans, exception);
        }
    }

    private void DropQueuesOfTheLost()
    {
        var ready = pool.Ready;
        foreach (var (device, queue) in _assigned)
        {
            if (queue.Count == 0 || ready.Contains(device) || _running.Values.Any(work => work.Device == device)) continue;
            Orphan(device, [.. queue], null);
            queue.Clear();
        }
    }

    private void Orphan(DeviceName device, List<ShardRange> orphans, Exception? reason)
    {
        foreach (var range in orphans.Where(range => range.Count > 0))
        {
            // In pieces, so that all that are left can take their part.
            foreach (var piece in ShardPlacement.Spread([range], Math.Max(1, pool.Ready.Length)).SelectMany(pieces => pieces)) _orphans.Enqueue(piece);
        }

        int count = ShardSet.Count(orphans);
        Reassigned += count;
        metrics.ShardsReassigned(runId, "lost", count);
        if (count > 0) journal.Replanned($"{device.Silo} {device.Device} is lost ({Short(reason)}); {string.Join(", ", orphans)} moved to the devices that are left");
    }

    private static string Short(Exception? reason) => reason switch
    {
        null => "not a member",
        TimeoutException => "no answer",
        StaleMessageException => reason.Message,
        OperationCanceledException or ObjectDisposedException => "it is leaving",
        _ => "its silo is gone",
    };

    private Queue<ShardRange> QueueOf(DeviceName device)
    {
        if (!_assigned.TryGetValue(device, out var queue)) _assigned[device] = queue = new Queue<ShardRange>();
        return queue;
    }
}
