using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>Where shards and partitions go: pure functions of what the live silos offer. No bit of the result depends on them.</summary>
public static class ClusterPlacement
{
    /// <summary>Contiguous shards, as even as can be, over the devices in order; devices without a shard are left out.</summary>
    public static ImmutableArray<DeviceShare> Shards(int shardCount, IReadOnlyList<SiloOffer> silos)
    {
        var devices = silos.SelectMany(silo => silo.Devices.Select(device => (silo.SiloName, Device: device))).ToArray();
        int used = Math.Min(devices.Length, shardCount);
        return [.. Enumerable.Range(0, used).Select(i => new DeviceShare(
            devices[i].SiloName, devices[i].Device, (int)((long)shardCount * i / used), (int)((long)shardCount * (i + 1) / used)))];
    }

    /// <summary>Two partitions a silo, so that transfers and arithmetic overlap, as long as there are blocks for them.</summary>
    public static PartitionMap Partitions(ParameterLayout layout, IReadOnlyList<SiloOffer> silos)
    {
        int count = Math.Min(layout.BlockCount, 2 * silos.Count);
        var ranges = layout.Partition(count);
        return new PartitionMap([.. ranges.Select((range, index) =>
            new PartitionPlace(index, silos[index * silos.Count / count].SiloName, range.First, range.Count))]);
    }

    /// <summary>Validation batches over the devices that have shards.</summary>
    public static ImmutableArray<(DeviceShare Device, int First, int End)> ValidationBatches(int batchCount, ImmutableArray<DeviceShare> shares) =>
        [.. shares
            .Select((share, i) => (share, (int)((long)batchCount * i / shares.Length), (int)((long)batchCount * (i + 1) / shares.Length)))
            .Where(part => part.Item2 < part.Item3)];
}
