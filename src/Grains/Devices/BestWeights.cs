using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>Brings the parameters that are exported to a replica, from the keeper of the output folder: the partitions have gone on from them.</summary>
internal static class BestWeights
{
    /// <summary>Marks blocks that hold them: no number of optimizer steps.</summary>
    private const long Version = -2;

    /// <summary>Only blocks that the replica lacks travel, so asking again costs nothing.</summary>
    public static async Task FetchAsync(IGrainFactory grains, string runId, RunReplica replica)
    {
        var keeper = grains.GetGrain<ICheckpointGrain>(runId);
        foreach (int index in replica.BlocksOlderThan(Version).ToArray())
        {
            using var block = await keeper.FetchBestAsync(index);
            await replica.WriteAsync(block, Version);
        }
    }
}
