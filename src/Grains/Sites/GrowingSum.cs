using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// A sum over a tree node's shards that is pushed while the last of them is in its last backward: to what is final of that shard's gradient the sums
/// of the others are added, block by block in the tree's order, and it is lent to whoever pushes it. (Addition gives the same bits either way round.)
/// </summary>
/// <param name="replica">Where the last shard is computed; its gradients are in host memory.</param>
/// <param name="node">The node.</param>
/// <param name="others">The sums that lack only that shard, in the order of <see cref="ReductionTree.Besides"/>; they are only read.</param>
/// <param name="start">See <see cref="FinalBlocks"/>.</param>
/// <param name="isLast">See <see cref="SumSource"/>.</param>
/// <param name="compute">Where sums are added.</param>
internal sealed class GrowingSum(
    RunReplica replica, TreeNode node, ImmutableArray<(TreeNode Node, GradientBuffer Sum)> others, int start, bool isLast, ComputeThreads compute) : IBlockSource
{
    private SumSource? _sum;

    // Whoever computes the last shard, and whoever pushes: its memory is free when neither has to do with it any more.
    private int _users = 2;

    public TreeNode Node => node;

    /// <summary>The sums of the node's other shards.</summary>
    public ImmutableArray<(TreeNode Node, GradientBuffer Sum)> Others => others;

    /// <summary>The blocks that can be pushed.</summary>
    public FinalBlocks Blocks { get; } = new(replica.Plan.Layout.BlockCount, start);

    /// <summary>
    /// Called while the last shard's last backward goes on, and once more after it: its gradient is final from <paramref name="from"/> on. The
    /// gradient is this sum's from the first time on. The first block waits for <see cref="Complete"/>: what the shard put in goes with it.
    /// </summary>
    public void Final(GradientBuffer gradient, long from)
    {
        _sum ??= new SumSource(replica, gradient, isLast, compute);
        Blocks.ReleaseFrom(Math.Max(1, (int)((from + ParameterLayout.BlockLength - 1) / ParameterLayout.BlockLength)));
    }

    /// <summary>What the last shard put in is known.</summary>
    public void Complete() => Blocks.ReleaseFrom(0);

    /// <summary>Adds up one block that is final, and rounds what is to be rounded; it is a source of it from then on.</summary>
    public Task AddAsync(int index) => others.IsEmpty && !replica.RoundsSums ? Task.CompletedTask : compute.RunAsync(() =>
    {
        using var sum = _sum!.TryLend(index)!;
        if (replica.RoundsSums) Bf16.Round(sum.Values);
        foreach (var (_, other) in others)
        {
            BlockArithmetic.AddInPlace(sum.Values, other.HostValues(ParameterLayout.BlockOffset(index), sum.Length));
            if (replica.RoundsSums) Bf16.Round(sum.Values);
        }
    });

    public Task<Block> CopyAsync(int index) => _sum!.CopyAsync(index);

    public Block? TryLend(int index, bool isForOne = false) => _sum!.TryLend(index, isForOne);

    /// <summary>The last shard's computation has ended, however: nobody writes its gradient any more.</summary>
    public void Computed() => Leave();

    /// <summary>Nothing of it is pushed any more.</summary>
    public void Pushed()
    {
        Blocks.End();
        Leave();
    }

    private void Leave()
    {
        if (Interlocked.Decrement(ref _users) == 0) _sum?.Dispose();
    }
}
