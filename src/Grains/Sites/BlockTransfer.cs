using System.Collections.Concurrent;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Training;
using Orleans.Serialization;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// Moves blocks between a silo and the holders of the partitions, a few at a time: enough to keep a connection busy, little to
/// hold. Silos start at different blocks, as far as these are there, so that all holders are at work. A holder that is slow is asked again, with pauses;
/// one that is gone, leaving or has not what was asked for is passed over as long as another of the partition is there.
/// </summary>
internal sealed class BlockTransfer(IGrainFactory grains, ChannelPeers channel, Peers peers, string runId, string siloName, ClusterMetrics metrics, TimeProvider time)
{
    private const int BlocksInFlight = 4;
    private const int DamageTries = 3;

    // Longer than a silo needs to be declared dead, whatever deadlines it was given: what is slow for longer is no use.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    // A sum that finds no room waits for its neighbours, which may be computed for long. Then it is given up, and computed again.
    private static readonly TimeSpan RoomPatience = TimeSpan.FromMinutes(15);

    private readonly ConcurrentDictionary<(int Partition, string Silo), PartitionHolder> _holders = new();

    /// <summary>One block of one vector, from the holder nearest by. From another silo it comes rounded to <paramref name="precision"/>.</summary>
    /// <exception cref="PartitionUnreachableException">No holder has it, or none that has it answers.</exception>
    public async Task<Block> FetchAsync(PartitionPlace place, Fence fence, BlockKind kind, int index, Precision precision = Precision.Fp32, CancellationToken cancellation = default)
    {
        var backoff = new Backoff(time, Patience);
        while (true)
        {
            var reason = "it has no holder that lives";
            bool maySucceed = false;
            foreach (var silo in InOrder(place, index))
            {
                if (IsGone(silo)) continue;
                try
                {
                    var block = await Holder(place, silo).FetchAsync(fence, kind, index, precision).WaitAsync(cancellation);
                    metrics.BlockMoved(runId, "fetch", SizeBytes(block, silo), isHere: silo == siloName);
                    return block;
                }
                catch (Exception exception) when (CallFailure.IsLoss(exception) && !cancellation.IsCancellationRequested)
                {
                    reason = $"{silo}: {exception.Message}";
                    maySucceed |= CallFailure.IsSlow(exception) && peers.IsMember(silo);
                }
            }

            if (!maySucceed || !await backoff.PauseAsync(cancellation))
                throw new PartitionUnreachableException($"{siloName} gets block {index} of partition {place.Index} of run {runId} after step {fence.Step} from no holder, asked {backoff.Tries + 1} times: {reason}");
        }
    }

    /// <summary>Has <paramref name="move"/> bring each of the blocks, several at a time.</summary>
    public Task EachAsync(int[] blocks, Func<int, Task> move)
    {
        int start = StartOf(blocks.Length), next = 0;
        // All lanes run on the grain's own scheduler, one turn at a time: the counter needs no lock.
        return InLanesAsync(() => Task.FromResult<int?>(next < blocks.Length ? blocks[(start + next++) % blocks.Length] : null), move);
    }

    /// <summary>The same as the blocks become final.</summary>
    public static Task EachAsync(FinalBlocks blocks, Func<int, Task> move) => InLanesAsync(blocks.TakeAsync, move);

    /// <summary>Where among so many blocks this silo begins: another place for each silo of a run, and the same every time.</summary>
    public int StartOf(int count) => count == 0 ? 0 : (int)(StableHash.Of(siloName) % (uint)count);

    private static Task InLanesAsync(Func<Task<int?>> take, Func<int, Task> move)
    {
        async Task LaneAsync()
        {
            while (await take() is { } index) await move(index);
        }

        return Task.WhenAll(Enumerable.Range(0, BlocksInFlight).Select(_ => LaneAsync()));
    }

    /// <summary>Contributes a block of the sum over a node's shards to every holder of its partition.</summary>
    /// <param name="contribution">What it is.</param>
    /// <param name="place">Who holds the block.</param>
    /// <param name="index">Which block.</param>
    /// <param name="source">The sum's values; each holder keeps what it gets, so each gets its own, and the one here what is there.</param>
    /// <param name="cancellation">Breaks it off.</param>
    /// <exception cref="PartitionUnreachableException">No holder took it.</exception>
    public async Task PushAsync(Contribution contribution, PartitionPlace place, int index, IBlockSource source, CancellationToken cancellation)
    {
        var outcomes = await Task.WhenAll(place.Holders.Select(silo => TryPushAsync(contribution, place, silo, index, source, cancellation)));
        if (outcomes.All(outcome => outcome is not null))
            throw new PartitionUnreachableException($"No holder of partition {place.Index} of run {runId} took block {index} of step {contribution.Fence.Step}: {outcomes.FirstOrDefault() ?? "it has none"}");
    }

    // Null when it arrived; otherwise why it did not.
    private async Task<string?> TryPushAsync(Contribution contribution, PartitionPlace place, string silo, int index, IBlockSource source, CancellationToken cancellation)
    {
        var backoff = new Backoff(time, Patience);
        var room = new Backoff(time, RoomPatience);
        while (!IsGone(silo))
        {
            try
            {
                await PushUndamagedAsync(contribution, place, silo, index, source).WaitAsync(cancellation);
                await FaultPoint.ReachAsync(FaultPhase.Push, contribution.Fence.Step);
                return null;
            }
            catch (HolderFullException exception)
            {
                if (!await room.PauseAsync(cancellation)) return $"{silo}: {exception.Message}";
            }
            catch (Exception exception) when (CallFailure.IsLoss(exception) && !cancellation.IsCancellationRequested)
            {
                if (!CallFailure.IsSlow(exception) || !peers.IsMember(silo) || !await backoff.PauseAsync(cancellation)) return $"{silo}: {exception.Message}";
            }
        }

        return $"{silo} is gone";
    }

    // Orleans looks for a place for what is sent to one that is gone, and takes half a second to find none: for each block.
    private bool IsGone(string silo) => silo != siloName && !peers.IsMember(silo);

    // A block that was damaged on its way is refused by its checksum and sent again.
    private async Task PushUndamagedAsync(Contribution contribution, PartitionPlace place, string silo, int index, IBlockSource source)
    {
        var holder = Holder(place, silo);
        for (int tried = 1; ; tried++)
        {
            bool isHere = silo == siloName, overChannel = await holder.HasChannelAsync();
            // Nothing may happen to a sum that is read where it lies.
            var lent = isHere || (overChannel && !FaultPoint.IsOn) ? source.TryLend(index, isForOne: isHere && place.Holders.Length == 1) : null;
            var block = lent ?? await source.CopyAsync(index);
            block.WirePrecision = contribution.Exchange;
            try
            {
                if (lent is null) await FaultPoint.ReachAsync(FaultPhase.Send, contribution.Fence.Step, block);
                if (!overChannel || !await holder.TryPushAsync(contribution.Fence, contribution.Node, contribution.Totals, block))
                {
                    if (!isHere && lent is not null)
                    {
                        lent.Dispose();
                        block = await source.CopyAsync(index);
                        block.WirePrecision = contribution.Exchange;
                    }

                    await holder.Grain.PushAsync(contribution.Fence, new TreePlace(contribution.Node.Level, contribution.Node.Index), contribution.Totals, block);
                }

                metrics.BlockMoved(runId, "push", SizeBytes(block, silo), isHere);
                block.Dispose();
                return;
            }
            catch (Exception exception) when (exception is HolderFullException || CallFailure.Of(exception) == FailureKind.Refused)
            {
                // It has been answered: nobody will look at the block any more.
                block.Dispose();
                throw;
            }
            catch (SerializerException exception)
            {
                block.Dispose();
                if (tried == DamageTries)
                    throw new RunFailedException($"Step {contribution.Fence.Step}: block {index} of {contribution.Shards} arrived damaged {DamageTries} times; it was not used. {exception.Message}");
            }
        }
    }

    // Within a silo values stay as they are.
    private long SizeBytes(Block block, string silo) => silo == siloName ? Block.SizeBytes(block.Length, Precision.Fp32) : block.WireSizeBytes;

    // A copy on our own silo costs no transfer; otherwise the holders take turns.
    private IEnumerable<string> InOrder(PartitionPlace place, int index) => place.Holders
        .Select((silo, order) => (silo, order: (order + index) % place.Holders.Length))
        .OrderBy(holder => !peers.IsMember(holder.silo)).ThenBy(holder => holder.silo != siloName).ThenBy(holder => holder.order)
        .Select(holder => holder.silo);

    // Orleans looks up by reflection what a grain's type is called: once, not for each block.
    private PartitionHolder Holder(PartitionPlace place, string silo) => _holders.GetOrAdd((place.Index, silo), _ =>
        new PartitionHolder(grains.GetGrain<IParameterServerGrain>(place.Key(runId, silo)), channel, silo, place.Index));
}
