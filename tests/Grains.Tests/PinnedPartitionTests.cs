using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A version that is pinned for a checkpoint while later steps are applied.</summary>
public sealed class PinnedPartitionTests : IDisposable
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    private readonly ComputeThreads _compute = new();

    [Fact]
    public async Task A_pinned_version_is_read_while_later_steps_are_applied_and_changes_none_of_their_bits()
    {
        var (pinned, other) = (await StateAsync(), await StateAsync());
        await StepAsync(pinned, 1);
        await StepAsync(other, 1);
        var expected = await ValuesAsync(pinned, 1);
        await pinned.PinAsync(1);
        await pinned.PinAsync(1);
        for (long step = 2; step <= 4; step++)
        {
            await StepAsync(pinned, step);
            await StepAsync(other, step);
            Assert.Equal(expected, await ValuesAsync(pinned, 1));
            Assert.Equal(await ValuesAsync(other, step), await ValuesAsync(pinned, step));
        }

        await Assert.ThrowsAsync<StaleMessageException>(() => pinned.CopyAsync(BlockKind.Parameters, 0, 2));
        await Assert.ThrowsAsync<StaleMessageException>(() => pinned.PinAsync(2));
        await pinned.UnpinAsync(1);
        await Assert.ThrowsAsync<StaleMessageException>(() => pinned.CopyAsync(BlockKind.Parameters, 0, 1));
    }

    [Fact]
    public async Task What_was_kept_goes_back_and_only_one_version_is_kept()
    {
        var state = await StateAsync();
        await state.PinAsync(0);
        await StepAsync(state, 1);
        int idle = BlockBuffers.IdleCount;
        await state.UnpinAsync(7);
        Assert.Equal(idle, BlockBuffers.IdleCount);
        await state.PinAsync(1);
        Assert.Equal(idle + 3, BlockBuffers.IdleCount);
        await StepAsync(state, 2);
        await Assert.ThrowsAsync<StaleMessageException>(() => state.CopyAsync(BlockKind.Parameters, 0, 0));
        idle = BlockBuffers.IdleCount;
        state.Dispose();
        Assert.Equal(idle + 3, BlockBuffers.IdleCount);
    }

    public void Dispose() => _compute.Dispose();

    private async Task<PartitionState> StateAsync()
    {
        var plan = new ModelPlan(new RunSpec { Data = "x.fasta", Shards = 1 }, Tiny);
        var state = new PartitionState(plan, new PartitionPlace(0, 0, 1, ["silo"]), version: 0, _compute);
        await state.FillFromSeedAsync();
        return state;
    }

    private static async Task StepAsync(PartitionState state, long step)
    {
        var gradient = BlockBuffers.Rent((int)GptNeoXStateDict.ParameterCount(Tiny));
        for (int i = 0; i < gradient.Length; i++) gradient.Values[i] = ((i + step) % 11) - 5;
        Assert.True(await state.ContributeAsync(step, new TreeNode(0, 0), [new ShardTotals(0, 1, 1, 1, 1, 1, 0)], 0, gradient));
        await state.ReduceAsync();
        await state.ApplyAsync(new ApplyRequest(new Fence("r", step, 1), 1e-3, 0.5, new StepRecord(new TrainingProgress { Step = step }, new MetricLine(), [], Skipped: false)));
    }

    private static async Task<float[]> ValuesAsync(PartitionState state, long version)
    {
        var values = new List<float>();
        foreach (var kind in Enum.GetValues<BlockKind>())
        {
            using var block = await state.CopyAsync(kind, 0, version);
            values.AddRange(block.Values);
        }

        return [.. values];
    }
}
