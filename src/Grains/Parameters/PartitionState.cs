using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// What a partition holds: parameters, Adam's moments, and the contributions to the step being accumulated, block by
/// block. Not a grain: blocks may be worked on by several threads at once, one block by one thread at a time.
/// </summary>
internal sealed class PartitionState
{
    private readonly RunPlan _plan;
    private readonly BlockState[] _blocks;
    private readonly int _firstBlock;

    /// <param name="plan">The run.</param>
    /// <param name="place">The blocks this partition owns.</param>
    /// <param name="version">Optimizer steps that the parameters have seen.</param>
    public PartitionState(RunPlan plan, PartitionPlace place, long version)
    {
        _plan = plan;
        _firstBlock = place.FirstBlock;
        Version = version;
        _blocks = [.. Enumerable.Range(place.FirstBlock, place.BlockCount).Select(index => new BlockState(index, plan.Layout.BlockSize(index), plan.Tree))];
    }

    /// <summary>Optimizer steps that the parameters have seen.</summary>
    public long Version { get; private set; }

    /// <summary>Fills the parameters from the run's seed; the moments are 0.</summary>
    public void FillFromSeed() => Parallel.ForEach(_blocks, block =>
        ParameterInitialization.Fill(_plan.Config, _plan.Spec.Seed, ParameterLayout.BlockOffset(block.Index), block.Parameters));

    /// <summary>Overwrites one block of one vector.</summary>
    public void Put(BlockKind kind, int index, ReadOnlySpan<float> values) => values.CopyTo(Find(index).Vector(kind));

    /// <summary>A copy of one block of one vector.</summary>
    public Block Copy(BlockKind kind, int index)
    {
        var vector = Find(index).Vector(kind);
        var block = Block.RentForAnswer(index, vector.Length);
        vector.CopyTo(block.Values);
        return block;
    }

    /// <summary>
    /// Takes a contribution to step <see cref="Version"/> + 1: the sum over a tree node's shards. Takes the buffer over;
    /// returns false, giving it back to the pool, when those shards are there already.
    /// </summary>
    public bool Contribute(TreeNode node, int index, float[] buffer)
    {
        var block = Find(index);
        lock (block)
        {
            if (block.Reduced is null && block.Sums.Add(node, buffer)) return true;
        }

        Block.ReturnBuffer(buffer);
        return false;
    }

    /// <summary>Closes the step's accumulation; squared norms block by block.</summary>
    /// <exception cref="RunFailedException">A contribution is missing.</exception>
    public double[] Reduce()
    {
        var norms = new double[_blocks.Length];
        Parallel.For(0, _blocks.Length, i =>
        {
            var block = _blocks[i];
            lock (block)
            {
                block.Reduced ??= TakeSum(block);
                norms[i] = BlockArithmetic.SquaredNorm(block.Reduced.AsSpan(0, block.Length));
            }
        });
        return norms;
    }

    /// <summary>Applies Adam to all blocks and counts the version up. The caller sees to it that it happens once a step.</summary>
    public void Apply(double learningRate, double gradientFactor)
    {
        var step = AdamStep.Create(_plan.Adam, Version + 1, learningRate, gradientFactor);
        Parallel.ForEach(_blocks, block =>
        {
            var gradient = block.Reduced ?? throw new InvalidOperationException($"Block {block.Index} is applied before it is reduced.");
            FusedAdam.Apply(block.Parameters, block.FirstMoment, block.SecondMoment, gradient.AsSpan(0, block.Length), step);
            block.Reduced = null;
            Block.ReturnBuffer(gradient);
        });
        Version++;
    }

    private static float[] TakeSum(BlockState block)
    {
        if (block.Sums.IsComplete) return block.Sums.TakeRoot();
        var missing = string.Join(", ", block.Sums.MissingShards.Select(range => $"{range.First}-{range.End - 1}"));
        throw new RunFailedException($"Block {block.Index} lacks the gradient of shards {missing}.");
    }

    private BlockState Find(int index) => _blocks[index - _firstBlock];

    private sealed class BlockState(int index, int length, ReductionTree tree)
    {
        public int Index { get; } = index;

        public int Length { get; } = length;

        public float[] Parameters { get; } = new float[length];

        public float[] FirstMoment { get; } = new float[length];

        public float[] SecondMoment { get; } = new float[length];

        public ReductionAccumulator<float[]> Sums { get; } = new(tree, (left, right) =>
        {
            BlockArithmetic.AddInPlace(left.AsSpan(0, length), right.AsSpan(0, length));
            Block.ReturnBuffer(right);
            return left;
        });

        public float[]? Reduced { get; set; }

        public Span<float> Vector(BlockKind kind) => kind switch
        {
            BlockKind.FirstMoment => FirstMoment,
            BlockKind.SecondMoment => SecondMoment,
            _ => Parameters,
        };
    }
}
