using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Training;
using Orleans.Concurrency;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// The door to one copy of one partition: key <c>run/partition-i@silo</c>, called by the GPU grains (fetch, push), the
/// run grain (set up, reduce, apply) and the checkpoint grain (put, fetch). Calls interleave; arithmetic runs on the
/// thread pool. What it holds is the silo's (<see cref="PartitionStore"/>) and outlives the activation; it dies with the
/// silo, and is made again from another copy.
/// </summary>
[OnNamedSilo, Reentrant]
public sealed class ParameterServerGrain(PartitionStore partitions, TokenStores stores, ClusterMetrics metrics) : Grain, IParameterServerGrain
{
    private const int BlocksInFlight = 4;

    public async Task SetUpAsync(PartitionSetup setup)
    {
        partitions.CheckGeneration(setup.Fence);
        var store = await stores.OpenAsync(setup.Context.Spec);
        var plan = new RunPlan(setup.Context.Spec, HuggingFaceConfig.Parse(setup.Context.ModelConfig), store.Sets);
        var state = await Task.Run(() => new PartitionState(plan, setup.Place, setup.Fence.Step));
        if (setup.Source == PartitionSource.Seed) await Task.Run(state.FillFromSeed);
        // While it was made, another driver may have taken over.
        partitions.CheckGeneration(setup.Fence);
        var held = new HeldPartition(setup.Place.Index, state);
        if (setup.Last is { } last) held.Applied = new ApplyRequest(setup.Fence, 0, 0, last);
        if (setup.Source == PartitionSource.Holder) held.Filled = CopyAsync(held, setup);
        partitions.Hold(this.GetPrimaryKeyString(), held);
    }

    public async Task PutAsync(Fence fence, BlockKind kind, Block block)
    {
        partitions.CheckGeneration(fence);
        var state = Held.State;
        await Task.Run(() => state.Put(kind, block.Index, block.Values));
    }

    public async Task<Block> FetchAsync(Fence fence, BlockKind kind, int block)
    {
        var held = Held;
        await held.Filled;
        return await Task.Run(() => held.State.Copy(kind, block, fence.Step));
    }

    public async Task PushAsync(Fence fence, TreePlace node, ImmutableArray<ShardTotals> totals, Block gradient)
    {
        var state = Held.State;
        int index = gradient.Index;
        var buffer = gradient.Detach();
        if (await Task.Run(() => state.Contribute(fence.Step, new TreeNode(node.Level, node.Index), totals, index, buffer))) return;
        metrics.StaleWriteRejected(fence.RunId);
        throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} is after step {state.Version}; the contribution is to step {fence.Step}.");
    }

    public async Task<ReductionReport> ReduceAsync(Fence fence)
    {
        partitions.CheckGeneration(fence);
        var state = Held.State;
        if (state.Version != fence.Step - 1)
            throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} is after step {state.Version}; step {fence.Step} cannot be reduced.");
        return await Task.Run(state.Reduce);
    }

    public Task ApplyAsync(ApplyRequest request)
    {
        partitions.CheckGeneration(request.Fence);
        var held = Held;
        long step = request.Fence.Step;
        lock (held.Gate)
        {
            if (held.State.Version >= step) return Task.CompletedTask;
            if (held.Applied?.Fence.Step == step && !held.Applying.IsFaulted) return held.Applying;
            if (held.State.Version != step - 1)
                throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} is after step {held.State.Version}; step {step} cannot be applied.");
            held.Applied = request;
            return held.Applying = ApplyAsync(held, request);
        }
    }

    public Task<PartitionStatus> DescribeAsync(Fence fence)
    {
        partitions.CheckGeneration(fence);
        if (partitions.Find(this.GetPrimaryKeyString()) is not { Filled.IsCompletedSuccessfully: true } held) return Task.FromResult(new PartitionStatus(false, 0, null));
        return DescribeAsync(held);
    }

    public Task ReleaseAsync(Fence fence)
    {
        partitions.CheckGeneration(fence);
        partitions.Release(this.GetPrimaryKeyString());
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    private HeldPartition Held => partitions.Find(this.GetPrimaryKeyString())
        ?? throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} holds no parameters; it has to be set up first.");

    private static async Task ApplyAsync(HeldPartition held, ApplyRequest request)
    {
        await held.Filled;
        await Task.Run(() => held.State.Apply(request));
    }

    private static async Task<PartitionStatus> DescribeAsync(HeldPartition held)
    {
        // An application under way is part of the answer.
        await Task.WhenAny(held.Applying);
        lock (held.Gate) return new PartitionStatus(true, held.State.Version, held.Applied?.Fence.Step == held.State.Version ? held.Applied : null);
    }

    private async Task CopyAsync(HeldPartition held, PartitionSetup setup)
    {
        var source = GrainFactory.GetGrain<IParameterServerGrain>(setup.Place.Key(setup.Fence.RunId, setup.CopyFrom));
        var wanted = new Queue<(BlockKind Kind, int Block)>(Enum.GetValues<BlockKind>().SelectMany(kind => held.State.Blocks.Select(block => (kind, block))));
        async Task Lane()
        {
            while (wanted.TryDequeue(out var next))
            {
                using var block = await source.FetchAsync(setup.Fence, next.Kind, next.Block);
                await Task.Run(() => held.State.Put(next.Kind, block.Index, block.Values));
                metrics.BlockMoved(setup.Fence.RunId, "seed", block.Length);
            }
        }

        await Task.WhenAll(Enumerable.Range(0, BlocksInFlight).Select(_ => Lane()));
    }
}
