using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>A silo that holds a copy of a partition: its blocks go over the tensor channel where there is one to it, otherwise, and everything else, as grain calls.</summary>
/// <param name="grain">Its door in Orleans.</param>
/// <param name="channel">The ways past it.</param>
/// <param name="silo">Which silo; to the one here there is no channel.</param>
/// <param name="partition">Which partition.</param>
internal sealed class PartitionHolder(IParameterServerGrain grain, ChannelPeers channel, string silo, int partition)
{
    public IParameterServerGrain Grain => grain;

    /// <inheritdoc cref="IParameterServerGrain.FetchAsync"/>
    public Task<Block> FetchAsync(Fence fence, BlockKind kind, int block, Precision precision = Precision.Fp32) =>
        EitherAsync(peer => peer.FetchAsync(partition, fence, kind, block, precision), () => grain.FetchAsync(fence, kind, block, precision));

    /// <inheritdoc cref="IParameterServerGrain.FetchReducedAsync"/>
    public Task<Block> FetchReducedAsync(Fence fence, int block, Precision precision) =>
        EitherAsync(peer => peer.FetchReducedAsync(partition, fence, block, precision), () => grain.FetchReducedAsync(fence, block, precision));

    /// <summary>Whether a block that is pushed now would be read from where it lies.</summary>
    public async ValueTask<bool> HasChannelAsync() => await channel.FindAsync(silo) is not null;

    /// <summary>Contributes a block over the channel, from where it lies; false when that does not work: it may have arrived or not.</summary>
    public async Task<bool> TryPushAsync(Fence fence, TreeNode node, ImmutableArray<ShardTotals> totals, Block block)
    {
        if (await channel.FindAsync(silo) is not { } peer) return false;
        try
        {
            await peer.PushAsync(partition, fence, node, totals, block);
            return true;
        }
        catch (ChannelBrokenException)
        {
            return false;
        }
    }

    private async Task<T> EitherAsync<T>(Func<ChannelPeer, Task<T>> overChannel, Func<Task<T>> byGrain)
    {
        if (await channel.FindAsync(silo) is not { } peer) return await byGrain();
        try
        {
            return await overChannel(peer);
        }
        catch (ChannelBrokenException)
        {
            return await byGrain();
        }
    }
}
