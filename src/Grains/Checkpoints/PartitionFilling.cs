using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Puts parameters and moments from files into the partitions, block by block.</summary>
internal sealed class PartitionFilling(IGrainFactory grains, FileThreads files, RunPlan plan, Fence fence, PartitionMap partitions)
{
    /// <summary>All that a checkpoint holds.</summary>
    public async Task FromAsync(CheckpointReader checkpoint)
    {
        foreach (var kind in Enum.GetValues<BlockKind>()) await FillAsync(kind, block => checkpoint.Read(kind, ParameterLayout.BlockOffset(block.Index), block.Values));
    }

    /// <summary>The parameters of a file of weights; the moments stay 0.</summary>
    public Task FromAsync(VectorFile weights) => FillAsync(BlockKind.Parameters, block => weights.Read(ParameterLayout.BlockOffset(block.Index), block.Values));

    private async Task FillAsync(BlockKind kind, Action<Block> read)
    {
        for (int index = 0; index < plan.Layout.BlockCount; index++)
        {
            using var block = Block.Rent(index, plan.Layout.BlockSize(index));
            await files.RunAsync(() => read(block));
            await PutAsync(kind, partitions.Owner(index), block);
            await FaultPoint.ReachAsync(FaultPhase.Restore, fence.Step);
        }
    }

    private async Task PutAsync(BlockKind kind, PartitionPlace place, Block block)
    {
        try
        {
            await Task.WhenAll(place.Holders.Select(holder => grains.GetGrain<IParameterServerGrain>(place.Key(fence.RunId, holder)).PutAsync(fence, kind, block)));
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Its driver must not take a holder's loss for this grain's.
            throw new PartitionUnreachableException($"partition {place.Index}: {exception.Message}");
        }
    }
}
