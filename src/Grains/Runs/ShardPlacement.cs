using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>Which silo computes what: pure functions of the devices. No bit of the result depends on them.</summary>
internal static class ShardPlacement
{
    /// <summary>Contiguous shards for each silo, as even by device as can be; silos without a shard are left out.</summary>
    public static ImmutableArray<DeviceShare> Shares(int shardCount, IReadOnlyList<DeviceName> devices)
    {
        int used = Math.Min(devices.Count, shardCount);
        var shares = ImmutableArray.CreateBuilder<DeviceShare>();
        for (int i = 0; i < used; i++)
        {
            var (first, end) = ((int)((long)shardCount * i / used), (int)((long)shardCount * (i + 1) / used));
            if (shares.Count > 0 && shares[^1] is var before && before.Silo == devices[i].Silo) shares[^1] = before with { Device = $"{before.Device},{devices[i].Device}", EndShard = end };
            else shares.Add(new DeviceShare(devices[i].Silo, devices[i].Device, first, end));
        }

        return shares.ToImmutable();
    }

    /// <summary>Spreads ranges over silos, in order and evenly by device; a range may be cut.</summary>
    public static ImmutableArray<ImmutableArray<ShardRange>> Spread(IReadOnlyList<ShardRange> ranges, IReadOnlyList<WorkingSite> sites)
    {
        var byDevice = Spread(ranges, sites.Sum(site => site.Devices.Length));
        int next = 0;
        return [.. sites.Select(site =>
        {
            var own = byDevice.AsSpan(next, site.Devices.Length).ToArray().SelectMany(parts => parts);
            next += site.Devices.Length;
            return Joined(own);
        })];
    }

    private static ImmutableArray<ShardRange> Joined(IEnumerable<ShardRange> ranges)
    {
        var joined = new List<ShardRange>();
        foreach (var range in ranges)
        {
            if (joined.Count > 0 && joined[^1].End == range.First) joined[^1] = joined[^1] with { End = range.End };
            else joined.Add(range);
        }

        return [.. joined];
    }

    /// <summary>Spreads ranges over <paramref name="deviceCount"/> devices, in order and evenly by shards; a range may be cut.</summary>
    public static ImmutableArray<ImmutableArray<ShardRange>> Spread(IReadOnlyList<ShardRange> ranges, int deviceCount)
    {
        int total = ShardSet.Count(ranges);
        var parts = Enumerable.Range(0, deviceCount).Select(_ => ImmutableArray.CreateBuilder<ShardRange>()).ToArray();
        int done = 0;
        foreach (var range in ranges)
        {
            for (int first = range.First; first < range.End;)
            {
                // The device whose even share the next shard falls into, and how far that share goes.
                int device = (int)(((((long)done + 1) * deviceCount) - 1) / total);
                int shareEnd = (int)(((long)device + 1) * total / deviceCount);
                int end = Math.Min(range.End, first + Math.Max(1, shareEnd - done));
                parts[device].Add(new ShardRange(first, end));
                done += end - first;
                first = end;
            }
        }

        return [.. parts.Select(part => part.ToImmutable())];
    }
}
