using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Sites;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// What partitions on this silo take and give, block by block, on the thread that asks: one for the tensor channel and the grain, so that both
/// refuse the same. A contribution or a fetched block is fenced by its step alone, since it is the same whoever asked for it.
/// </summary>
public sealed class PartitionDoor(SiteStore sites, ClusterMetrics metrics)
{
    /// <summary>
    /// Contributes a block of the sum over a tree node's shards; takes the buffer over, whatever comes of it. <paramref name="checksum"/> is
    /// its values' XXH3-64 where that is known.
    /// </summary>
    /// <exception cref="StaleMessageException">The partition is not held here, has no such block, or is at another step.</exception>
    /// <exception cref="HolderFullException">There is no room for it now.</exception>
    internal void Push(Fence fence, int partition, TreeNode node, ImmutableArray<ShardTotals> totals, int index, int length, NativeVector buffer, ulong? checksum = null)
    {
        PartitionState state;
        try
        {
            state = Held(fence, partition).State;
            if (state.LengthOf(index) != length) throw new StaleMessageException($"{Name(fence, partition)} has no block {index} of {length} values.");
        }
        catch
        {
            BlockBuffers.Return(buffer);
            throw;
        }

        try
        {
            if (state.Contribute(fence.Step, node, totals, index, buffer, checksum)) return;
        }
        catch (HolderFullException)
        {
            metrics.SumPutOff(fence.RunId);
            throw;
        }

        metrics.StaleWriteRejected(fence.RunId);
        throw new StaleMessageException($"{Name(fence, partition)} is after step {state.Version}; the contribution is to step {fence.Step}.");
    }

    /// <summary>A copy of one block of one vector, to be sent in <paramref name="precision"/>.</summary>
    /// <exception cref="StaleMessageException">It is not here, or not at that version.</exception>
    internal Block Fetch(Fence fence, int partition, BlockKind kind, int index, Precision precision)
    {
        var held = Held(fence, partition);
        // While it is being filled, another holder has the block; how long it takes is nobody's to wait for.
        if (!held.Filled.IsCompletedSuccessfully) throw new StaleMessageException($"{Name(fence, partition)} is being filled.");
        if (held.State.LengthOf(index) == 0) throw new StaleMessageException($"{Name(fence, partition)} has no block {index}.");
        return Sent(held.State.Copy(kind, index, fence.Step), precision);
    }

    /// <summary>A copy of one block of the reduced gradient, to be sent in <paramref name="precision"/>.</summary>
    /// <exception cref="StaleMessageException">It is not here, not reduced, or applied already.</exception>
    internal Block FetchReduced(Fence fence, int partition, int index, Precision precision)
    {
        var held = Held(fence, partition);
        if (held.State.LengthOf(index) == 0) throw new StaleMessageException($"{Name(fence, partition)} has no block {index}.");
        return Sent(held.State.CopyReduced(index, fence.Step), precision);
    }

    private static Block Sent(Block block, Precision precision)
    {
        block.WirePrecision = precision;
        return block;
    }

    private PartitionCopy Held(Fence fence, int partition) => sites.Find(fence.RunId)?.Partition(partition)
        ?? throw new StaleMessageException($"{Name(fence, partition)} holds no parameters; it has to be set up first.");

    private static string Name(Fence fence, int partition) => $"Partition {partition} of run {fence.RunId} here";
}
