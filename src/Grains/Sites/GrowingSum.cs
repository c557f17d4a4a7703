using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// A sum over a tree node's shards that is pushed while the last of them is in its last backward: what is final of that shard's gradient is added
/// to the sums of the others, block by block in the tree's order, and lent to whoever pushes it.
/// </summary>
internal sealed class GrowingSum : IBlockSource
{
    private readonly RunReplica _replica;
    private readonly ComputeThreads _compute;
    private readonly bool _isLast;
    private readonly ImmutableArray<(SumSource Sum, bool IsLeft)> _others;
    private SumSource? _own;

    // Whoever computes the last shard, and whoever pushes: its memory is free when neither has to do with it any more.
    private int _users = 2;

    /// <param name="replica">Where the last shard is computed; its gradients are in host memory.</param>
    /// <param name="node">The node.</param>
    /// <param name="others">The sums that lack only that shard, from the leaf up, and whether they are its left neighbours; taken over.</param>
    /// <param name="start">See <see cref="FinalBlocks"/>.</param>
    /// <param name="isLast">See <see cref="SumSource"/>.</param>
    /// <param name="compute">Where sums are added.</param>
    public GrowingSum(RunReplica replica, TreeNode node, IEnumerable<(GradientBuffer Sum, bool IsLeft)> others, int start, bool isLast, ComputeThreads compute)
    {
        (_replica, Node, _isLast, _compute) = (replica, node, isLast, compute);
        Blocks = new FinalBlocks(replica.Plan.Layout.BlockCount, start);
        _others = [.. others.Select(other => (new SumSource(replica, other.Sum, isLast, compute), other.IsLeft))];
    }

    public TreeNode Node { get; }

    /// <summary>The blocks that can be pushed.</summary>
    public FinalBlocks Blocks { get; }

    /// <summary>
    /// Called while the last shard's last backward goes on, and once more after it: its gradient is final from <paramref name="from"/> on. The
    /// gradient is this sum's from the first time on. The first block waits for <see cref="Complete"/>: what the shard put in goes with it.
    /// </summary>
    public void Final(GradientBuffer gradient, long from)
    {
        _own ??= new SumSource(_replica, gradient, _isLast, _compute);
        Blocks.ReleaseFrom(Math.Max(1, (int)((from + ParameterLayout.BlockLength - 1) / ParameterLayout.BlockLength)));
    }

    /// <summary>What the last shard put in is known.</summary>
    public void Complete() => Blocks.ReleaseFrom(0);

    /// <summary>Adds up one block that is final; it is a source of it from then on.</summary>
    public Task AddAsync(int index) => _others.IsEmpty ? Task.CompletedTask : _compute.RunAsync(() =>
    {
        var sum = _own!;
        foreach (var (other, isLeft) in _others)
        {
            var (left, right) = isLeft ? (other, sum) : (sum, other);
            using var into = left.TryLend(index)!;
            using var added = right.TryLend(index)!;
            BlockArithmetic.AddInPlace(into.Values, added.Values);
            sum = left;
        }
    });

    public Task<Block> CopyAsync(int index) => Whole.CopyAsync(index);

    public Block? TryLend(int index, bool isForOne = false) => Whole.TryLend(index, isForOne);

    // The leftmost has what was added to it.
    private SumSource Whole => _others.LastOrDefault(other => other.IsLeft).Sum ?? _own!;

    /// <summary>The last shard's computation has ended, however: nobody writes its gradient any more.</summary>
    public void Computed() => Leave();

    /// <summary>Nothing of it is pushed any more.</summary>
    public void Pushed()
    {
        Blocks.End();
        foreach (var (other, _) in _others) other.Dispose();
        Leave();
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0) _own?.Dispose();
    }
}
