using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Who gets which device: a pure function of the queue and the devices. In order of priority and submission every run gets
/// the least it needs, as long as there is enough; what is left goes round, one device at a time, up to what each has use for.
/// </summary>
public static class DeviceAllotment
{
    /// <summary>The order in which runs get devices.</summary>
    public static ImmutableArray<QueuedRun> InOrder(IEnumerable<QueuedRun> runs) =>
        [.. runs.OrderByDescending(run => run.Priority).ThenBy(run => run.Submitted).ThenBy(run => run.RunId, StringComparer.Ordinal)];

    /// <summary>The devices of each run that gets any.</summary>
    /// <param name="runs">The runs that want devices.</param>
    /// <param name="devices">The devices that are alive, in order.</param>
    /// <param name="before">Who had which: a run keeps its own where it can.</param>
    public static ImmutableDictionary<string, ImmutableArray<DeviceName>> Allot(
        IEnumerable<QueuedRun> runs, ImmutableArray<DeviceName> devices, ImmutableDictionary<string, ImmutableArray<DeviceName>> before)
    {
        var counts = Counts(InOrder(runs), devices.Length);
        var free = devices.ToList();
        var allotted = new Dictionary<string, List<DeviceName>>(StringComparer.Ordinal);
        foreach (var (run, count) in counts)
        {
            var kept = before.GetValueOrDefault(run.RunId, []).Where(free.Contains).Take(count).ToList();
            free.RemoveAll(kept.Contains);
            allotted[run.RunId] = kept;
        }

        foreach (var (run, count) in counts)
        {
            int more = count - allotted[run.RunId].Count;
            allotted[run.RunId].AddRange(free.Take(more));
            free.RemoveRange(0, more);
        }

        return allotted.Where(pair => pair.Value.Count > 0).ToImmutableDictionary(
            pair => pair.Key, pair => devices.Where(pair.Value.Contains).ToImmutableArray(), StringComparer.Ordinal);
    }

    private static List<(QueuedRun Run, int Count)> Counts(ImmutableArray<QueuedRun> runs, int deviceCount)
    {
        var counts = new int[runs.Length];
        int left = deviceCount;
        for (int i = 0; i < runs.Length; i++)
        {
            // The first that cannot have its least has to wait, but what it cannot use does not lie idle.
            if (runs[i].MinDevices > left) continue;
            counts[i] = runs[i].MinDevices;
            left -= counts[i];
        }

        for (bool more = true; more && left > 0;)
        {
            more = false;
            for (int i = 0; i < runs.Length && left > 0; i++)
            {
                if (counts[i] == 0 || counts[i] >= runs[i].MaxDevices) continue;
                counts[i]++;
                left--;
                more = true;
            }
        }

        return [.. runs.Select((run, i) => (run, counts[i]))];
    }
}
