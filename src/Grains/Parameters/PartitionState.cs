using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// What a partition holds: parameters, Adam's moments, and the contributions to the step being accumulated, block by
/// block. Not a grain: blocks may be worked on by several threads at once. Each block counts its own version under its own
/// lock, so that what arrives late is refused however it is interleaved with Adam.
/// </summary>
internal sealed class PartitionState
{
    private readonly RunPlan _plan;
    private readonly BlockState[] _blocks;
    private readonly int _firstBlock;
    private readonly SortedDictionary<int, ShardTotals> _totals = [];

    /// <param name="plan">The run.</param>
    /// <param name="place">The blocks this partition owns.</param>
    /// <param name="version">Optimizer steps that the parameters have seen.</param>
    public PartitionState(RunPlan plan, PartitionPlace place, long version)
    {
        _plan = plan;
        _firstBlock = place.FirstBlock;
        Version = version;
        _blocks = [.. Enumerable.Range(place.FirstBlock, place.BlockCount).Select(index => new BlockState(index, plan.Layout.BlockSize(index), plan.Tree, version))];
    }

    /// <summary>Optimizer steps that all parameters have seen.</summary>
    public long Version { get; private set; }

    /// <summary>The blocks' numbers.</summary>
    public IEnumerable<int> Blocks => _blocks.Select(block => block.Index);

    /// <summary>Fills the parameters from the run's seed; the moments are 0.</summary>
    public void FillFromSeed() => Parallel.ForEach(_blocks, block =>
        ParameterInitialization.Fill(_plan.Config, _plan.Spec.Seed, ParameterLayout.BlockOffset(block.Index), block.Parameters));

    /// <summary>Overwrites one block of one vector that is after <paramref name="version"/> steps.</summary>
    /// <exception cref="StaleMessageException">The block has gone on from there.</exception>
    public void Put(BlockKind kind, int index, long version, ReadOnlySpan<float> values)
    {
        var block = Find(index);
        lock (block)
        {
            if (block.Version != version) throw new StaleMessageException($"Block {index} is after step {block.Version}; values of step {version} came for it.");
            values.CopyTo(block.Vector(kind));
        }
    }

    /// <summary>A copy of one block of one vector after <paramref name="version"/> steps.</summary>
    /// <exception cref="StaleMessageException">The block is at another version.</exception>
    public Block Copy(BlockKind kind, int index, long version)
    {
        var block = Find(index);
        lock (block)
        {
            if (block.Version != version) throw new StaleMessageException($"Block {index} is after step {block.Version}; it was asked for after step {version}.");
            var vector = block.Vector(kind);
            var copy = Block.RentForAnswer(index, vector.Length);
            vector.CopyTo(copy.Values);
            return copy;
        }
    }

    /// <summary>
    /// Takes a contribution to <paramref name="step"/>: the sum over a tree node's shards. Takes the buffer over; it goes
    /// back to the pool when those shards are there already.
    /// </summary>
    /// <returns>False when the block is not at that step: nothing was changed.</returns>
    public bool Contribute(long step, TreeNode node, IEnumerable<ShardTotals> totals, int index, float[] buffer)
    {
        var block = Find(index);
        lock (block)
        {
            bool current = block.Version == step - 1;
            if (!current || block.Reduced is not null || !block.Sums.Add(node, buffer)) Block.ReturnBuffer(buffer);
            if (!current) return false;
        }

        lock (_totals)
        {
            if (Version == step - 1)
                foreach (var shard in totals) _totals[shard.Shard] = shard;
        }

        return true;
    }

    /// <summary>Closes the step's accumulation when no shard is missing in any block.</summary>
    public ReductionReport Reduce()
    {
        var missing = Missing();
        if (missing.Length > 0) return new ReductionReport([], missing, Totals());
        var norms = new double[_blocks.Length];
        Parallel.For(0, _blocks.Length, i =>
        {
            var block = _blocks[i];
            lock (block)
            {
                block.Reduced ??= block.Sums.TakeRoot();
                norms[i] = BlockArithmetic.SquaredNorm(block.Reduced.AsSpan(0, block.Length));
            }
        });
        return new ReductionReport([.. norms], [], Totals());
    }

    /// <summary>Applies Adam to the blocks that have not seen the step yet, or only counts it. Killed in the middle it is done again by another copy.</summary>
    public void Apply(ApplyRequest request)
    {
        var step = AdamStep.Create(_plan.Adam, request.Fence.Step, request.LearningRate, request.GradientFactor);
        Parallel.ForEach(_blocks, block =>
        {
            lock (block)
            {
                if (block.Version >= request.Fence.Step) return;
                var gradient = block.Reduced ?? throw new InvalidOperationException($"Block {block.Index} is applied before it is reduced.");
                if (!request.Record.Skipped) FusedAdam.Apply(block.Parameters, block.FirstMoment, block.SecondMoment, gradient.AsSpan(0, block.Length), step);
                FaultPoint.Reach(FaultPhase.Apply, request.Fence.Step);
                block.Reduced = null;
                Block.ReturnBuffer(gradient);
                block.Version = request.Fence.Step;
            }
        });
        lock (_totals)
        {
            _totals.Clear();
            Version = request.Fence.Step;
        }
    }

    private ImmutableArray<ShardTotals> Totals()
    {
        lock (_totals) return [.. _totals.Values];
    }

    private ImmutableArray<ShardRange> Missing()
    {
        var lacks = new bool[_plan.Tree.ShardCount];
        foreach (var block in _blocks)
        {
            lock (block)
            {
                if (block.Reduced is not null) continue;
                foreach (var (first, end) in block.Sums.MissingShards) lacks.AsSpan(first, end - first).Fill(true);
            }
        }

        lock (_totals)
            for (int shard = 0; shard < lacks.Length; shard++) lacks[shard] |= !_totals.ContainsKey(shard);
        return ShardSet.Ranges(lacks);
    }

    private BlockState Find(int index) => _blocks[index - _firstBlock];

    private sealed class BlockState(int index, int length, ReductionTree tree, long version)
    {
        public int Index { get; } = index;

        public int Length { get; } = length;

        public long Version { get; set; } = version;

        public float[] Parameters { get; } = new float[length];

        public float[] FirstMoment { get; } = new float[length];

        public float[] SecondMoment { get; } = new float[length];

        public ReductionAccumulator<float[]> Sums { get; } = new(
            tree,
            (left, right) =>
            {
                BlockArithmetic.AddInPlace(left.AsSpan(0, length), right.AsSpan(0, length));
                Block.ReturnBuffer(right);
                return left;
            },
            Block.ReturnBuffer);

        public float[]? Reduced { get; set; }

        public Span<float> Vector(BlockKind kind) => kind switch
        {
            BlockKind.FirstMoment => FirstMoment,
            BlockKind.SecondMoment => SecondMoment,
            _ => Parameters,
        };
    }
}
