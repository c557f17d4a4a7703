using System.Collections.Immutable;
using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Grains.Sites;
using GenSlmOrleans.Training;
using Orleans.Concurrency;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// The door to one copy of one partition: key <c>run/partition-i@silo</c>, called by the sites (fetch, push), the run grain
/// (set up, reduce, apply, pin) and the checkpoint grain (put, fetch). Calls interleave; arithmetic runs on the silo's compute
/// threads. What it holds is the site's (<see cref="SiteStore"/>) and outlives the activation; it dies with the silo, and is
/// made again from another copy.
/// </summary>
[OnNamedSilo, Reentrant]
public sealed class ParameterServerGrain(SiteStore sites, PartitionDoor door, ChannelPeers channel, ComputeThreads compute, SiloMemory memory, ClusterMetrics metrics, TimeProvider time) : Grain, IParameterServerGrain
{
    private const int BlocksInFlight = 4;

    // Of a block that is filled all three vectors are on their way.
    private const int BlocksFilledAtOnce = 2;

    // A copy goes on from a step a moment after or before the one it is filled from.
    private static readonly TimeSpan FillPause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan FillPatience = TimeSpan.FromSeconds(30);

    // Between a step's reduction and its application: whether a record is to blame may be looked for meanwhile.
    private static readonly TimeSpan FollowPatience = TimeSpan.FromMinutes(30);

    public async Task SetUpAsync(PartitionSetup setup)
    {
        var site = sites.Open(setup.Fence, setup.Context);
        long parameters = Enumerable.Range(setup.Place.FirstBlock, setup.Place.BlockCount).Sum(block => (long)site.Model.Layout.BlockSize(block));
        var (runId, what) = (setup.Fence.RunId, $"Partition {setup.Place.Index}");
        var room = memory.Take(runId, what, RunMemory.PartitionBytes(parameters));
        PartitionState state;
        try
        {
            state = new PartitionState(
                site.Model, setup.Place, setup.Fence.Step, compute, new WaitingRoom(() => memory.TryGrow(runId, what, BlockBuffers.Length * sizeof(float))), isEmpty: setup.Source == PartitionSource.Holder);
            if (setup.Source == PartitionSource.Seed) await state.FillFromSeedAsync();
            else if (setup.Source == PartitionSource.Put) await state.ClearAsync();
            // While it was made, another driver may have taken over.
            sites.Check(setup.Fence);
        }
        catch
        {
            room.Dispose();
            throw;
        }

        var copy = new PartitionCopy(setup.Place.Index, state, room);
        if (setup.Last is { } last) copy.Applied = new ApplyRequest(setup.Fence, 0, 0, last);
        if (setup.Source == PartitionSource.Holder) copy.Filled = site.FillAsync(() => CopyAsync(state, setup));
        site.Hold(copy);
    }

    public Task PutAsync(Fence fence, BlockKind kind, Block block)
    {
        sites.Check(fence);
        return Held.State.PutAsync(kind, fence.Step, block);
    }

    public Task<Block> FetchAsync(Fence fence, BlockKind kind, int block, Precision precision) => compute.RunAsync(() => door.Fetch(fence, Index, kind, block, precision));

    public Task PushAsync(Fence fence, TreePlace node, ImmutableArray<ShardTotals> totals, Block gradient)
    {
        var (index, length, buffer) = (gradient.Index, gradient.Length, gradient.Detach());
        return compute.RunAsync(() => door.Push(fence, Index, new TreeNode(node.Level, node.Index), totals, index, length, buffer));
    }

    public async Task<ImmutableArray<ContributionDigest>> DescribeContributionsAsync(Fence fence)
    {
        sites.Check(fence);
        return await Held.State.ContributionsAsync();
    }

    public Task<Block> FetchReducedAsync(Fence fence, int block, Precision precision) => compute.RunAsync(() => door.FetchReduced(fence, Index, block, precision));

    public async Task TakeReducedAsync(Fence fence, string from)
    {
        sites.Check(fence);
        var held = Held;
        var source = Holder(from);
        await (sites.Find(RunId) ?? throw NotHeld()).FollowAsync(() => EachAsync(held.State.Follow(fence.Step), BlocksInFlight, async index =>
        {
            var block = await source.FetchReducedAsync(fence, index, held.State.Exchange);
            metrics.BlockMoved(fence.RunId, "seed", block.WireSizeBytes, isHere: false);
            await held.State.PutReducedAsync(fence.Step, index, block.Detach());
        }));
        held.State.TakeTotals(fence.Step, (await source.Grain.ReduceAsync(fence)).Totals);
    }

    public async Task<ReductionReport> ReduceAsync(Fence fence)
    {
        sites.Check(fence);
        var held = Held;
        var state = held.State;
        // One that is still being filled lacks everything.
        if (held.Filled.IsCompleted) await FilledAsync(held);
        if (state.Version != fence.Step - 1)
            throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} is after step {state.Version}; step {fence.Step} cannot be reduced.");
        return await state.ReduceAsync();
    }

    public async Task ApplyAsync(ApplyRequest request)
    {
        sites.Check(request.Fence);
        var held = Held;
        // One whose source was lost will never be whole.
        if (held.Filled.IsFaulted) await FilledAsync(held);
        await BeginApplying(held, request);
    }

    private Task BeginApplying(PartitionCopy held, ApplyRequest request)
    {
        long step = request.Fence.Step;
        lock (held.Gate)
        {
            if (held.State.Version >= step) return Task.CompletedTask;
            if (held.Applied?.Fence.Step == step && !held.Applying.IsFaulted) return held.Applying;
            if (held.State.Version != step - 1)
                throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} is after step {held.State.Version}; step {step} cannot be applied.");
            held.Applied = request;
            return held.Applying = held.State.ApplyAsync(request, sites.Find(RunId)?.Mirrors(step) ?? []);
        }
    }

    public Task FilledAsync(Fence fence)
    {
        sites.Check(fence);
        return FilledAsync(Held);
    }

    public Task<PartitionStatus> DescribeAsync(Fence fence)
    {
        sites.Check(fence);
        if (Find() is not { Filled.IsCompletedSuccessfully: true } held) return Task.FromResult(new PartitionStatus(false, 0, null));
        return DescribeAsync(held);
    }

    public async Task PinAsync(CheckpointRequest snapshot)
    {
        sites.Check(snapshot.Fence);
        var held = Held;
        await FilledAsync(held);
        await held.State.PinAsync(snapshot.Fence.Step);
        long parameters = held.State.ParameterCount;
        lock (held.Gate) held.Pin(snapshot, () => memory.TryTake(snapshot.Fence.RunId, $"A snapshot of partition {Index}", RunMemory.SnapshotBytes(parameters)));
    }

    public async Task UnpinAsync(Fence fence)
    {
        sites.Check(fence);
        var held = Held;
        // What was kept goes back before its room does.
        await held.State.UnpinAsync(fence.Step);
        lock (held.Gate)
            if (held.Pinned?.Fence.Step == fence.Step) held.Unpin();
    }

    public async Task ReleaseAsync(Fence fence)
    {
        sites.Check(fence);
        if (sites.Find(RunId) is { } site) await site.ReleaseAsync(Index);
        DeactivateOnIdle();
    }

    private string RunId => this.GetPrimaryKeyString() is var key ? key[..key.LastIndexOf('/')] : "";

    private int Index => this.GetPrimaryKeyString() is var key
        ? int.Parse(key.AsSpan()[(key.LastIndexOf("/partition-", StringComparison.Ordinal) + "/partition-".Length)..key.LastIndexOf('@')], CultureInfo.InvariantCulture) : 0;

    private PartitionHolder Holder(string silo) =>
        new(GrainFactory.GetGrain<IParameterServerGrain>(this.GetPrimaryKeyString() is var key ? $"{key[..key.LastIndexOf('@')]}@{silo}" : ""), channel, silo, Index);

    private PartitionCopy? Find() => sites.Find(RunId)?.Partition(Index);

    private PartitionCopy Held => Find() ?? throw NotHeld();

    private StaleMessageException NotHeld() => new($"Partition {this.GetPrimaryKeyString()} holds no parameters; it has to be set up first.");

    private async Task FilledAsync(PartitionCopy held)
    {
        try
        {
            await held.Filled;
        }
        catch (Exception exception) when (exception is not SupersededException)
        {
            throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} could not be filled: {exception.Message}");
        }
    }

    private static async Task<PartitionStatus> DescribeAsync(PartitionCopy held)
    {
        // An application under way is part of the answer.
        await Task.WhenAny(held.Applying);
        lock (held.Gate) return new PartitionStatus(true, held.State.Version, held.Applied?.Fence.Step == held.State.Version ? held.Applied : null) { Pinned = held.Pinned, LacksRoom = held.LacksRoom };
    }

    private Task CopyAsync(PartitionState state, PartitionSetup setup)
    {
        var source = Holder(setup.CopyFrom);
        return EachAsync(state.Blocks, BlocksFilledAtOnce, index => CopyAsync(state, setup.Fence, source, index));
    }

    // Steps go on meanwhile: what has been fetched before one was applied, and was not here in time to take its gradient, is fetched again.
    private async Task CopyAsync(PartitionState state, Fence fence, PartitionHolder source, int index)
    {
        long began = time.GetTimestamp(), free = began, tried = state.Version;
        while (time.GetElapsedTime(began) < FillPatience && time.GetElapsedTime(free) < FollowPatience)
        {
            if (state.IsClosed) throw NotHeld();
            long version = state.Version;
            bool isFollowing = state.IsFollowing;
            if (isFollowing || version != tried) began = time.GetTimestamp();
            if (!isFollowing) free = time.GetTimestamp();
            tried = version;
            try
            {
                if (!isFollowing && await TryCopyAsync(state, fence with { Step = version }, source, index)) return;
            }
            catch (StaleMessageException exception)
            {
                // The other has gone on before this one, or this one before the other; or there is nothing any more. It answers when it has applied the step.
                if (!(await source.Grain.DescribeAsync(fence)).Holds) throw new StaleMessageException($"Its source cannot fill block {index}: {exception.Message}");
            }

            await Task.Delay(FillPause, time);
        }

        throw new StaleMessageException($"Block {index} was not filled: for {FillPatience.TotalSeconds:F0} s it could have been, or for {FollowPatience.TotalMinutes:F0} minutes a step was not applied.");
    }

    private async Task<bool> TryCopyAsync(PartitionState state, Fence fence, PartitionHolder source, int index)
    {
        foreach (var kind in Enum.GetValues<BlockKind>())
        {
            using var block = await source.FetchAsync(fence, kind, index);
            await state.PutAsync(kind, fence.Step, block);
            metrics.BlockMoved(fence.RunId, "seed", block.WireSizeBytes, isHere: false);
        }

        await FaultPoint.ReachAsync(FaultPhase.Fill, fence.Step);
        return state.TryEndFilling(index, fence.Step);
    }

    private static Task EachAsync<T>(IEnumerable<T> items, int atOnce, Func<T, Task> move)
    {
        var wanted = new Queue<T>(items);
        async Task Lane()
        {
            while (wanted.TryDequeue(out var next)) await move(next);
        }

        return Task.WhenAll(Enumerable.Range(0, atOnce).Select(_ => Lane()));
    }
}
