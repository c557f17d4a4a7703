using System.IO.Hashing;
using System.Runtime.InteropServices;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// The sums of gradients that have arrived for one block in one step, added along the tree. What makes the sum whole is added, squared
/// and hashed in one pass over memory. One caller at a time.
/// </summary>
internal sealed class BlockSums
{
    private readonly ReductionTree _tree;
    private readonly int _length;
    private readonly Precision _exchange;
    private readonly ReductionAccumulator<NativeVector> _accumulator;
    private bool _completes;
    private BlockNorm? _norm;

    /// <param name="tree">The order of addition.</param>
    /// <param name="length">How many values the block has.</param>
    /// <param name="exchange">What sums are rounded to; those that arrive are.</param>
    public BlockSums(ReductionTree tree, int length, Precision exchange = Precision.Fp32)
    {
        (_tree, _length, _exchange) = (tree, length, exchange);
        _accumulator = new ReductionAccumulator<NativeVector>(tree, Sum, BlockBuffers.Return);
    }

    /// <summary>How many sums wait for others, or for the step's end.</summary>
    public int Count => _accumulator.Held.Count;

    /// <inheritdoc cref="ReductionAccumulator{TBuffer}.MissingShards"/>
    public IEnumerable<(int First, int End)> MissingShards => _accumulator.MissingShards;

    /// <inheritdoc cref="ReductionAccumulator{TBuffer}.WouldWait"/>
    public bool WouldWait(TreeNode node) => _accumulator.WouldWait(node);

    /// <summary>Takes a node's sum over; false, and it stays the caller's, when its shards are there already.</summary>
    public bool Add(TreeNode node, NativeVector sum)
    {
        var (first, end) = _tree.Covers(node);
        _completes = _accumulator.MissingShards.All(missing => first <= missing.First && missing.End <= end);
        if (!_accumulator.Add(node, sum)) return false;
        if (!_accumulator.IsComplete) _accumulator.Replace(Kept);
        // What comes whole is squared and hashed as it comes, while others are in their backward, and not when the step waits for it.
        else if (_norm is null) NormOf(sum);
        return true;
    }

    /// <summary>Takes the whole sum out.</summary>
    /// <exception cref="InvalidOperationException">Shards are missing.</exception>
    public NativeVector TakeWhole() => _accumulator.TakeRoot();

    /// <summary>Squared norm and checksum of the whole sum.</summary>
    public BlockNorm NormOf(NativeVector whole)
    {
        if (_norm is { } known) return known;
        var norm = Norm((from, count) => whole.Values.Slice(from, count));
        _norm = norm;
        return norm;
    }

    /// <summary>Gives everything back that has arrived; whatever comes is of another step, or of another copy.</summary>
    public void Clear()
    {
        foreach (var (_, sum) in _accumulator.Drain()) BlockBuffers.Return(sum);
        _norm = null;
    }

    // Into whichever is ours: what is lent is not to be changed. The order of two summands makes no difference to the bits of a sum that is a number.
    private NativeVector Sum(NativeVector left, NativeVector right)
    {
        var (sum, other) = !left.IsLent ? (left, right) : (right, left);
        if (sum.IsLent)
        {
            sum = BlockBuffers.Rent(_length);
            right.Values[.._length].CopyTo(sum.Values);
            BlockBuffers.Return(right);
        }

        ReadOnlySpan<float> Added(int from, int count)
        {
            var piece = sum.Values.Slice(from, count);
            BlockArithmetic.AddInPlace(piece, other.Values.Slice(from, count));
            if (_exchange == Precision.Bf16) Bf16.Round(piece);
            return piece;
        }

        if (_completes)
        {
            _norm = Norm(Added);
        }
        else
        {
            // In pieces, too: what is rounded after it was added is still in the cache.
            for (int from = 0; from < _length; from += BlockArithmetic.PieceLength) Added(from, Math.Min(BlockArithmetic.PieceLength, _length - from));
        }

        BlockBuffers.Return(other);
        return sum;
    }

    private BlockNorm Norm(BlockArithmetic.PieceOf piece)
    {
        var hash = new XxHash3();
        double squaredNorm = BlockArithmetic.SquaredNorm(_length, (from, count) =>
        {
            var made = piece(from, count);
            hash.Append(MemoryMarshal.AsBytes(made));
            return made;
        });
        return new BlockNorm(squaredNorm, hash.GetCurrentHashAsUInt64());
    }

    private NativeVector Kept(NativeVector sum)
    {
        if (sum.Allows(LoanRights.Keep)) return sum;
        var copy = BlockBuffers.Rent(_length);
        sum.Values[.._length].CopyTo(copy.Values);
        BlockBuffers.Return(sum);
        return copy;
    }
}

/// <summary>What is known of a block's reduced gradient.</summary>
/// <param name="SquaredNorm">Sum of its squares.</param>
/// <param name="Checksum">XXH3-64 of its bytes.</param>
internal readonly record struct BlockNorm(double SquaredNorm, ulong Checksum);
