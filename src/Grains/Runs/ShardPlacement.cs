using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>Which device computes what: pure functions of the devices. No bit of the result depends on them.</summary>
public static class ShardPlacement
{
    /// <summary>Contiguous shards, as even as can be, over the devices in order; devices without a shard are left out.</summary>
    public static ImmutableArray<DeviceShare> Shares(int shardCount, IReadOnlyList<DeviceName> devices)
    {
        int used = Math.Min(devices.Count, shardCount);
        return [.. Enumerable.Range(0, used).Select(i => new DeviceShare(
            devices[i].Silo, devices[i].Device, (int)((long)shardCount * i / used), (int)((long)shardCount * (i + 1) / used)))];
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
