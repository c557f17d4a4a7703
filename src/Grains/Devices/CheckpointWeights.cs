using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>Brings a checkpoint's parameters to a replica: the partitions have gone on from them.</summary>
internal static class CheckpointWeights
{
    /// <summary>Marks blocks that hold them: no number of optimizer steps.</summary>
    private const long Version = -2;

    /// <summary>Only blocks that the replica lacks travel: for the one checkpoint that a run is tested with, at its end.</summary>
    public static async Task FetchAsync(IGrainFactory grains, string runId, RunReplica replica, string checkpoint)
    {
        var keeper = grains.GetGrain<ICheckpointGrain>(runId);
        foreach (int index in replica.BlocksOlderThan(Version).ToArray())
        {
            using var block = await keeper.ReadAsync(checkpoint, index, replica.Plan.Layout.BlockSize(index));
            await replica.WriteAsync(block, Version);
        }
    }
}
