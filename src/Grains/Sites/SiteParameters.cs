using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>Brings a silo's replicas of a run to a version: each block that any of them lacks comes to the silo once.</summary>
internal sealed class SiteParameters(BlockTransfer transfer, ImmutableArray<SiteDevice> devices)
{
    /// <summary>Marks blocks that hold a checkpoint's parameters: no number of optimizer steps.</summary>
    private const long CheckpointVersion = -2;

    private readonly ImmutableArray<RunReplica> _replicas = [.. devices.Select(device => device.Replica)];

    /// <summary>Brings the parameters after <c>fence.Step</c> optimizer steps.</summary>
    public Task BringAsync(Fence fence, PartitionMap partitions, CancellationToken cancellation = default) => BringAsync(fence.Step, async index =>
    {
        // A replica in bf16 rounds them in any case.
        var block = await transfer.FetchAsync(partitions.Owner(index), fence, BlockKind.Parameters, index, _replicas[0].Plan.Spec.Precision, cancellation);
        await FaultPoint.ReachAsync(FaultPhase.Fetch, fence.Step + 1);
        return block;
    });

    /// <summary>Brings a checkpoint's: for the one that a run is tested with, at its end; the partitions have gone on from it.</summary>
    public Task BringAsync(ICheckpointGrain keeper, string checkpoint) =>
        BringAsync(CheckpointVersion, index => keeper.ReadAsync(checkpoint, index, _replicas[0].Plan.Layout.BlockSize(index)));

    /// <exception cref="DevicesStuckException">A device hangs while they are written to it.</exception>
    private async Task BringAsync(long version, Func<int, Task<Block>> fetch)
    {
        var lacking = _replicas.SelectMany(replica => replica.Blocks.OlderThan(version)).Distinct().Order().ToArray();
        if (lacking.Length == 0) return;
        using var over = new CancellationTokenSource();
        var bringing = BringAsync(lacking, version, fetch, over.Token);
        try
        {
            // Either all is there, or one of them hangs: what is being written to it is its for as long as it does.
            await await Task.WhenAny(devices.Select(device => device.WatchedAsync(() => bringing, over: over.Token)));
        }
        finally
        {
            await over.CancelAsync();
        }
    }

    private async Task<bool> BringAsync(int[] lacking, long version, Func<int, Task<Block>> fetch, CancellationToken over)
    {
        await transfer.EachAsync(lacking, async index =>
        {
            over.ThrowIfCancellationRequested();
            using var block = await fetch(index);
            // When one that hung comes back, the others may have gone on to a later version.
            over.ThrowIfCancellationRequested();
            await Task.WhenAll(_replicas.Where(replica => replica.Blocks.Lacks(index, version)).Select(replica => replica.WriteAsync(block, version)));
        });
        return true;
    }
}
