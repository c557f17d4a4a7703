using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>Moves blocks between a replica and the partitions, a few at a time: enough to keep a connection busy, little to hold.</summary>
internal sealed class BlockTransfer(IGrainFactory grains, string runId, ClusterMetrics metrics)
{
    private const int BlocksInFlight = 4;

    /// <summary>Brings the replica to the parameters after <c>fence.Step</c> optimizer steps; only blocks that it lacks travel.</summary>
    public Task FetchAsync(RunReplica replica, Fence fence, PartitionMap partitions) =>
        EachAsync(replica.BlocksOlderThan(fence.Step).ToArray(), async index =>
        {
            var block = await Partition(partitions, index).FetchAsync(fence, BlockKind.Parameters, index);
            await replica.WriteAsync(block, fence.Step);
            metrics.BlockMoved(runId, "fetch", block.Length);
            block.Dispose();
        });

    /// <summary>Contributes the sum over <paramref name="node"/>'s shards.</summary>
    public Task PushAsync(RunReplica replica, Fence fence, TreeNode node, GradientBuffer sum, PartitionMap partitions) =>
        EachAsync([.. Enumerable.Range(0, replica.Plan.Layout.BlockCount)], async index =>
        {
            var block = await replica.ReadAsync(sum, index);
            await Partition(partitions, index).PushAsync(fence, new TreePlace(node.Level, node.Index), block);
            metrics.BlockMoved(runId, "push", block.Length);
            block.Dispose();
        });

    private IParameterServerGrain Partition(PartitionMap partitions, int block) =>
        grains.GetGrain<IParameterServerGrain>(partitions.Owner(block).Key(runId));

    private static async Task EachAsync(int[] blocks, Func<int, Task> move)
    {
        int next = 0;
        async Task Lane()
        {
            // All lanes run on the grain's own scheduler, one turn at a time: the counter needs no lock.
            while (next < blocks.Length) await move(blocks[next++]);
        }

        await Task.WhenAll(Enumerable.Range(0, Math.Min(BlocksInFlight, blocks.Length)).Select(_ => Lane()));
    }
}
