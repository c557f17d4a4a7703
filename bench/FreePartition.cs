using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>A partition that owns all blocks and adds contributions up as they arrive; for the rest as <see cref="PartitionState"/>.</summary>
internal sealed class FreePartition
{
    private readonly RunPlan _plan;
    private readonly BlockState[] _blocks;

    public FreePartition(RunPlan plan)
    {
        _plan = plan;
        _blocks = [.. Enumerable.Range(0, plan.Layout.BlockCount).Select(index => new BlockState(index, plan.Layout.BlockSize(index)))];
        Parallel.ForEach(_blocks, block => ParameterInitialization.Fill(plan.Config, plan.Spec.Seed, ParameterLayout.BlockOffset(block.Index), block.Parameters));
    }

    /// <summary>A copy of a block of the parameters.</summary>
    public Block Copy(int index)
    {
        var block = _blocks[index];
        lock (block)
        {
            var copy = Block.RentForAnswer(index, block.Parameters.Length);
            block.Parameters.CopyTo(copy.Values);
            return copy;
        }
    }

    /// <summary>Adds a device's whole sum; takes the buffer over.</summary>
    public void Contribute(int index, NativeVector buffer)
    {
        var block = _blocks[index];
        lock (block)
        {
            if (block.Sum is null)
            {
                block.Sum = buffer;
                return;
            }

            BlockArithmetic.AddInPlace(block.Sum.Values[..block.Parameters.Length], buffer.Values[..block.Parameters.Length]);
        }

        BlockBuffers.Return(buffer);
    }

    /// <summary>The sums' squared norms, in block order.</summary>
    public double[] SquaredNorms()
    {
        var norms = new double[_blocks.Length];
        Parallel.For(0, _blocks.Length, i => norms[i] = BlockArithmetic.SquaredNorm(_blocks[i].Sum!.Values[.._blocks[i].Parameters.Length]));
        return norms;
    }

    /// <summary>One pass of Adam.</summary>
    public void Apply(long step, double factor)
    {
        var adam = AdamStep.Create(_plan.Model.Adam, step, _plan.Spec.LearningRate, factor);
        Parallel.ForEach(_blocks, block =>
        {
            lock (block)
            {
                var sum = block.Sum!;
                FusedAdam.Apply(block.Parameters, block.FirstMoment, block.SecondMoment, sum.Values[..block.Parameters.Length], adam);
                block.Sum = null;
                BlockBuffers.Return(sum);
            }
        });
    }

    private sealed class BlockState(int index, int length)
    {
        public int Index { get; } = index;

        public float[] Parameters { get; } = new float[length];

        public float[] FirstMoment { get; } = new float[length];

        public float[] SecondMoment { get; } = new float[length];

        public NativeVector? Sum { get; set; }
    }
}
