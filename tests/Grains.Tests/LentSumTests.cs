using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Sums that are read where they lie: never changed, given back as soon as they are not needed, to the bits of copies.</summary>
public sealed class LentSumTests : IDisposable
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    private readonly ComputeThreads _compute = new();
    private readonly List<NativeVector> _owned = [];

    [Fact]
    public async Task The_whole_sum_is_used_as_it_is_and_given_back_when_it_has_been_applied()
    {
        var (lent, copied) = (await StateAsync(shards: 1), await StateAsync(shards: 1));
        var sum = new Lent(Own(seed: 1));
        Assert.True(await lent.ContributeAsync(1, new TreeNode(0, 0), Totals(0), 0, sum.Vector));
        Assert.True(await copied.ContributeAsync(1, new TreeNode(0, 0), Totals(0), 0, Gradient(seed: 1)));
        var mirror = new Mirror(LengthOf(lent));
        await EndStepAsync(lent, copied, mirror, () => Assert.Equal(0, sum.TimesGivenBack));
        Assert.Equal(1, sum.TimesGivenBack);
        sum.AssertUnchanged();
    }

    [Theory]
    [InlineData(new[] { 0, 1 }, new[] { true, false })]
    [InlineData(new[] { 1, 0 }, new[] { true, false })]
    [InlineData(new[] { 0, 1 }, new[] { true, true })]
    [InlineData(new[] { 1, 0 }, new[] { false, true })]
    public async Task One_of_two_is_copied_when_it_waits_and_given_back_when_it_is_added(int[] order, bool[] isLent)
    {
        var (state, copied) = (await StateAsync(shards: 2), await StateAsync(shards: 2));
        var sums = order.Select((shard, i) => isLent[i] ? new Lent(Own((ulong)shard)) : null).ToArray();
        for (int i = 0; i < 2; i++)
        {
            Assert.True(await state.ContributeAsync(1, new TreeNode(0, order[i]), Totals(order[i]), 0, sums[i]?.Vector ?? Gradient((ulong)order[i])));
            Assert.True(await copied.ContributeAsync(1, new TreeNode(0, i), Totals(i), 0, Gradient((ulong)i)));
            if (sums[i] is { } sum) Assert.Equal(1, sum.TimesGivenBack);
        }

        await EndStepAsync(state, copied, new Mirror(LengthOf(state)), () => { });
        foreach (var sum in sums) sum?.AssertUnchanged();
    }

    [Theory]
    [InlineData(new[] { 0, 1 }, new[] { true, false })]
    [InlineData(new[] { 1, 0 }, new[] { true, false })]
    [InlineData(new[] { 0, 1 }, new[] { true, true })]
    public async Task One_that_may_be_kept_waits_where_it_lies(int[] order, bool[] isLent)
    {
        var (state, copied) = (await StateAsync(shards: 2), await StateAsync(shards: 2));
        var sums = order.Select((shard, i) => isLent[i] ? new Lent(Own((ulong)shard), LoanRights.Keep) : null).ToArray();
        for (int i = 0; i < 2; i++)
        {
            int made = BlockBuffers.IdleCount;
            Assert.True(await state.ContributeAsync(1, new TreeNode(0, order[i]), Totals(order[i]), 0, sums[i]?.Vector ?? Gradient((ulong)order[i])));
            if (i == 0) Assert.Equal((0, made), (sums[0]!.TimesGivenBack, BlockBuffers.IdleCount));
            Assert.True(await copied.ContributeAsync(1, new TreeNode(0, i), Totals(i), 0, Gradient((ulong)i)));
        }

        foreach (var sum in sums) Assert.Equal(1, sum?.TimesGivenBack ?? 1);
        await EndStepAsync(state, copied, new Mirror(LengthOf(state)), () => { });
        foreach (var sum in sums) sum?.AssertUnchanged();
    }

    [Fact]
    public async Task One_that_may_be_cleared_is_when_it_has_been_applied_and_not_when_the_step_is_left_out()
    {
        var (state, copied) = (await StateAsync(shards: 1), await StateAsync(shards: 1));
        var (sum, skipped) = (new Lent(Own(seed: 1), LoanRights.Clear), new Lent(Own(seed: 2), LoanRights.Clear));
        Assert.True(await state.ContributeAsync(1, new TreeNode(0, 0), Totals(0), 0, sum.Vector));
        Assert.True(await copied.ContributeAsync(1, new TreeNode(0, 0), Totals(0), 0, Gradient(seed: 1)));
        await EndStepAsync(state, copied, new Mirror(LengthOf(state)), sum.AssertUnchanged);
        sum.AssertZero(LengthOf(state));
        Assert.True(await state.ContributeAsync(2, new TreeNode(0, 0), Totals(0), 0, skipped.Vector));
        await state.ReduceAsync();
        var request = Request(2);
        await state.ApplyAsync(request with { Record = request.Record with { Skipped = true } });
        Assert.Equal((1, false), (skipped.TimesGivenBack, skipped.IsCleared));
        skipped.AssertUnchanged();
    }

    [Fact]
    public async Task One_that_is_refused_is_given_back()
    {
        var state = await StateAsync(shards: 1);
        var (late, again) = (new Lent(Own(seed: 1)), new Lent(Own(seed: 1)));
        Assert.False(await state.ContributeAsync(7, new TreeNode(0, 0), Totals(0), 0, late.Vector));
        Assert.Equal(1, late.TimesGivenBack);
        Assert.True(await state.ContributeAsync(1, new TreeNode(0, 0), Totals(0), 0, Gradient(seed: 1)));
        Assert.True(await state.ContributeAsync(1, new TreeNode(0, 0), Totals(0), 0, again.Vector));
        Assert.Equal(1, again.TimesGivenBack);
        var held = new Lent(Own(seed: 2));
        var closing = await StateAsync(shards: 1);
        Assert.True(await closing.ContributeAsync(1, new TreeNode(0, 0), Totals(0), 0, held.Vector));
        closing.Dispose();
        Assert.Equal(1, held.TimesGivenBack);
    }

    // Both come to the same numbers, and the mirror has the parameters that were applied.
    private static async Task EndStepAsync(PartitionState state, PartitionState expected, Mirror mirror, Action reduced)
    {
        var (found, wanted) = (await state.ReduceAsync(), await expected.ReduceAsync());
        Assert.Equal(wanted.SquaredNorms, found.SquaredNorms);
        Assert.Equal(wanted.Checksums, found.Checksums);
        reduced();
        await state.ApplyAsync(Request(1), mirror);
        await expected.ApplyAsync(Request(1));
        using var parameters = await state.CopyAsync(BlockKind.Parameters, 0, 1);
        using var same = await expected.CopyAsync(BlockKind.Parameters, 0, 1);
        Assert.Equal(same.Values.ToArray(), parameters.Values.ToArray());
        Assert.Equal(same.Values.ToArray(), mirror.Values);
        Assert.Equal([("begin", 1L), ("end", 1L)], mirror.Marks);
    }

    private async Task<PartitionState> StateAsync(int shards)
    {
        var state = new PartitionState(new ModelPlan(new RunSpec { Shards = shards }, Tiny), new PartitionPlace(0, 0, 1, ["silo"]), version: 0, _compute);
        await state.FillFromSeedAsync();
        return state;
    }

    private static int LengthOf(PartitionState state) => state.LengthOf(0);

    private static ShardTotals[] Totals(int shard) => [new ShardTotals(shard, 1, 1, 1, 1, 1, 0)];

    private static ApplyRequest Request(long step) => new(new Fence("run", step, 1), 1e-3, 0.5, new StepRecord(new TrainingProgress { Step = step }, new MetricLine { Kind = "step", Step = step }, [], Skipped: false));

    private static NativeVector Gradient(ulong seed)
    {
        var buffer = BlockBuffers.Rent(BlockBuffers.Length);
        Fill(buffer.Values, seed);
        return buffer;
    }

    private NativeVector Own(ulong seed)
    {
        var vector = new NativeVector(BlockBuffers.Length);
        Fill(vector.Values, seed);
        _owned.Add(vector);
        return vector;
    }

    private static void Fill(Span<float> values, ulong seed)
    {
        for (int i = 0; i < values.Length; i++) values[i] = (((i * 31) + ((int)seed * 17)) % 1013) / 1013f - 0.5f;
    }

    public void Dispose()
    {
        _compute.Dispose();
        foreach (var vector in _owned) vector.Free();
    }

    /// <summary>Somebody's sum, with what it was when it was lent.</summary>
    private sealed class Lent
    {
        private readonly NativeVector _owner;
        private readonly float[] _before;
        private int _timesGivenBack;

        public unsafe Lent(NativeVector owner, LoanRights rights = LoanRights.None)
        {
            (_owner, _before) = (owner, owner.Values.ToArray());
            using var pinned = owner.Pin();
            Vector = NativeVector.Lent((nint)pinned.Pointer, owner.Length, isCleared =>
            {
                IsCleared |= isCleared;
                Interlocked.Increment(ref _timesGivenBack);
            }, rights);
        }

        public NativeVector Vector { get; }

        public bool IsCleared { get; private set; }

        public int TimesGivenBack => Volatile.Read(ref _timesGivenBack);

        public void AssertZero(int length) => Assert.True(IsCleared && !_owner.Values[..length].ContainsAnyExcept(0f), "what was to be cleared is not");

        public void AssertUnchanged() => Assert.True(_owner.Values.SequenceEqual(_before), "what was lent has been changed");
    }

    private sealed class Mirror(int length) : IParameterMirror
    {
        public float[] Values { get; } = new float[length];

        public List<(string, long)> Marks { get; } = [];

        public void Begin(int block, long version) => Marks.Add(("begin", version));

        public void Write(int block, int from, ReadOnlySpan<float> values) => values.CopyTo(Values.AsSpan(from));

        public void End(int block, long version) => Marks.Add(("end", version));
    }
}
