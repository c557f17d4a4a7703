using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Training;
using Orleans.Concurrency;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// One partition of the parameter server: key <c>run/partition-i@silo</c>, called by the GPU grains (fetch, push), the
/// run grain (reduce, apply) and the checkpoint grain (put, fetch). Calls interleave; arithmetic runs on the thread
/// pool. It survives nothing by itself: what it holds comes back from the last checkpoint.
/// </summary>
[OnNamedSilo, Reentrant]
public sealed class ParameterServerGrain(TokenStores stores) : Grain, IParameterServerGrain
{
    private PartitionState? _state;
    private long _generation;
    private Task _applying = Task.CompletedTask;
    private long _applyingStep;

    public async Task SetUpAsync(PartitionSetup setup)
    {
        CheckGeneration(setup.Fence);
        var store = await stores.OpenAsync(setup.Context.Spec);
        var plan = new RunPlan(setup.Context.Spec, HuggingFaceConfig.Parse(setup.Context.ModelConfig), store.Sets);
        var state = new PartitionState(plan, setup.Place, setup.Fence.Step);
        if (setup.FromSeed) await Task.Run(state.FillFromSeed);
        _state = state;
        DelayDeactivation(TimeSpan.MaxValue);
    }

    public async Task PutAsync(Fence fence, BlockKind kind, Block block)
    {
        var state = At(fence, fence.Step);
        await Task.Run(() => state.Put(kind, block.Index, block.Values));
    }

    public async Task<Block> FetchAsync(Fence fence, BlockKind kind, int block)
    {
        // Adam changes blocks in place, and the version only at the end: nobody may read in between.
        await _applying;
        var state = At(fence, fence.Step);
        return await Task.Run(() => state.Copy(kind, block));
    }

    public Task PushAsync(Fence fence, TreePlace node, Block gradient)
    {
        var state = At(fence, fence.Step - 1);
        int index = gradient.Index;
        var buffer = gradient.Detach();
        return Task.Run(() => state.Contribute(new TreeNode(node.Level, node.Index), index, buffer));
    }

    public async Task<ReductionReport> ReduceAsync(Fence fence)
    {
        var state = At(fence, fence.Step - 1);
        return new ReductionReport([.. await Task.Run(state.Reduce)]);
    }

    public Task ApplyAsync(ApplyRequest request)
    {
        CheckGeneration(request.Fence);
        if (State.Version >= request.Fence.Step) return Task.CompletedTask;
        if (_applyingStep == request.Fence.Step && !_applying.IsFaulted) return _applying;
        var state = At(request.Fence, request.Fence.Step - 1);
        _applyingStep = request.Fence.Step;
        return _applying = Task.Run(() => state.Apply(request.LearningRate, request.GradientFactor));
    }

    public Task ReleaseAsync()
    {
        _state = null;
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    private PartitionState State => _state
        ?? throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} holds no parameters; it has to be set up first.");

    private PartitionState At(Fence fence, long version)
    {
        CheckGeneration(fence);
        return State.Version == version
            ? State
            : throw new StaleMessageException($"Partition {this.GetPrimaryKeyString()} is after step {State.Version}; the message is for step {version}.");
    }

    private void CheckGeneration(Fence fence)
    {
        if (fence.Generation < _generation)
            throw new StaleMessageException($"The message is of generation {fence.Generation}; partition {this.GetPrimaryKeyString()} has seen {_generation}.");
        _generation = fence.Generation;
    }
}
