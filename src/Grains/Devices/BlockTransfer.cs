using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;
using Orleans.Serialization;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// Moves blocks between a replica and the holders of the partitions, a few at a time: enough to keep a connection busy,
/// little to hold. A holder that has died is passed over as long as another of the partition lives.
/// </summary>
internal sealed class BlockTransfer(IGrainFactory grains, string runId, string siloName, ClusterMetrics metrics)
{
    private const int BlocksInFlight = 4;
    private const int Tries = 3;

    private readonly HashSet<string> _dead = new(StringComparer.Ordinal);

    /// <summary>Brings the replica to the parameters after <c>fence.Step</c> optimizer steps; only blocks that it lacks travel.</summary>
    public Task FetchAsync(RunReplica replica, Fence fence, PartitionMap partitions) =>
        EachAsync(replica.BlocksOlderThan(fence.Step).ToArray(), async index =>
        {
            using var block = await FetchAsync(partitions.Owner(index), fence, BlockKind.Parameters, index);
            await FaultPoint.ReachAsync(FaultPhase.Fetch, fence.Step + 1);
            await replica.WriteAsync(block, fence.Step);
        });

    /// <summary>One block of one vector, from the holder nearest by.</summary>
    public async Task<Block> FetchAsync(PartitionPlace place, Fence fence, BlockKind kind, int index)
    {
        // A copy on our own silo costs no transfer.
        var reason = "it has none";
        foreach (var silo in place.Holders.OrderBy(silo => _dead.Contains(silo)).ThenBy(silo => silo != siloName))
        {
            try
            {
                var block = await Partition(place, silo).FetchAsync(fence, kind, index);
                metrics.BlockMoved(runId, "fetch", block.Length);
                return block;
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                reason = exception.Message;
                if (exception is not StaleMessageException) _dead.Add(silo);
            }
        }

        throw new PartitionUnreachableException($"No holder of partition {place.Index} of run {runId} has block {index} after step {fence.Step}: {reason}");
    }

    /// <summary>Contributes the sum over <paramref name="node"/>'s shards to every holder of every partition.</summary>
    public Task PushAsync(RunReplica replica, Fence fence, TreeNode node, ImmutableArray<ShardTotals> totals, GradientBuffer sum, PartitionMap partitions) =>
        EachAsync([.. Enumerable.Range(0, replica.Plan.Layout.BlockCount)], index => PushAsync(replica, fence, node, totals, sum, partitions.Owner(index), index));

    private async Task PushAsync(
        RunReplica replica, Fence fence, TreeNode node, ImmutableArray<ShardTotals> totals, GradientBuffer sum, PartitionPlace place, int index)
    {
        var reason = "all are dead";
        int arrived = 0;
        foreach (var silo in place.Holders)
        {
            if (_dead.Contains(silo)) continue;
            try
            {
                await PushAsync(replica, fence, node, totals, sum, Partition(place, silo), index);
                arrived++;
                await FaultPoint.ReachAsync(FaultPhase.Push, fence.Step);
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception))
            {
                reason = exception.Message;
                if (exception is not StaleMessageException) _dead.Add(silo);
            }
        }

        if (arrived == 0) throw new PartitionUnreachableException($"No holder of partition {place.Index} of run {runId} took block {index} of step {fence.Step}: {reason}");
    }

    // A block that was damaged on its way is refused by its checksum and sent again.
    private async Task PushAsync(
        RunReplica replica, Fence fence, TreeNode node, ImmutableArray<ShardTotals> totals, GradientBuffer sum, IParameterServerGrain holder, int index)
    {
        for (int tried = 1; ; tried++)
        {
            try
            {
                // Each holder keeps the buffer it gets, so each gets its own.
                var block = await replica.ReadAsync(sum, index);
                await holder.PushAsync(fence, new TreePlace(node.Level, node.Index), totals, block);
                metrics.BlockMoved(runId, "push", block.Length);
                block.Dispose();
                return;
            }
            catch (SerializerException exception)
            {
                if (tried == Tries)
                    throw new RunFailedException($"Step {fence.Step}: block {index} of {string.Join(", ", totals.Select(shard => $"shard {shard.Shard}"))} arrived damaged {Tries} times; it was not used. {exception.Message}");
            }
        }
    }

    private IParameterServerGrain Partition(PartitionPlace place, string silo) => grains.GetGrain<IParameterServerGrain>(place.Key(runId, silo));

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
