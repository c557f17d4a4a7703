using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>Where a push takes its blocks from.</summary>
internal interface IBlockSource
{
    /// <summary>A copy of a block, which goes to whoever it is pushed to.</summary>
    Task<Block> CopyAsync(int index);

    /// <summary>A block as it lies, for a partition on this silo or to be sent from there; null where that cannot be had.</summary>
    /// <param name="index">Which block.</param>
    /// <param name="isForOne">A partition on this silo gets it, and nobody else does.</param>
    Block? TryLend(int index, bool isForOne = false);
}

/// <summary>
/// A sum of gradients while it is pushed. In host memory it is read where it lies, by partitions on this silo for as long as they need it:
/// it goes back to its replica with the last of its blocks.
/// </summary>
/// <param name="replica">Whose it is.</param>
/// <param name="sum">The sum.</param>
/// <param name="isLast">No shard is left for which the replica would need its memory: it may be held while it waits for others' sums.</param>
/// <param name="compute">Where copies are made.</param>
internal sealed class SumSource(RunReplica replica, GradientBuffer sum, bool isLast, ComputeThreads compute) : IBlockSource, IDisposable
{
    private readonly GradientLoan? _loan = sum.TryLend();

    public async Task<Block> CopyAsync(int index)
    {
        if (TryLend(index) is not { } lent) return await replica.ReadAsync(sum, index);
        // Whoever waits for the copy may give up; whoever makes it does not.
        using (lent)
        {
            var block = Block.Rent(index, lent.Length);
            await compute.RunAsync(() => lent.Values.CopyTo(block.Values));
            return block;
        }
    }

    public Block? TryLend(int index, bool isForOne = false)
    {
        if (_loan is not { } loan) return null;
        int length = replica.Plan.Layout.BlockSize(index);
        var rights = (isLast ? LoanRights.Keep : LoanRights.None) | (isForOne ? LoanRights.Clear : LoanRights.None);
        return Block.Over(index, NativeVector.Lent(loan.Take(ParameterLayout.BlockOffset(index), length), length, isCleared => loan.Return(isCleared ? length : 0), rights));
    }

    /// <summary>The push has ended: what is not lent any more is free.</summary>
    public void Dispose()
    {
        if (_loan is { } loan) loan.Return();
        else sum.Return();
    }
}
