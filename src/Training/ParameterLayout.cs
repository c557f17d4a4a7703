using System.Collections.Immutable;

namespace GenSlmOrleans.Training;

/// <summary>A parameter's name and shape.</summary>
public sealed record ParameterShape(string Name, ImmutableArray<long> Shape);

/// <summary>A parameter's place in the flat vector.</summary>
/// <param name="Index">Which parameter it is, in state-dict order.</param>
/// <param name="Name">Its name in the state dict.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Offset">Where it begins.</param>
/// <param name="Count">How many elements it has.</param>
public sealed record ParameterSlot(int Index, string Name, ImmutableArray<long> Shape, long Offset, long Count);

/// <summary>A run of blocks.</summary>
public readonly record struct BlockRange(int First, int Count);

/// <summary>The flat fp32 parameter vector: parameters end to end in state-dict order, cut into blocks, the unit of transfer.</summary>
public sealed class ParameterLayout
{
    /// <summary>Parameters of a block; the last one may have fewer.</summary>
    public const int BlockLength = 1 << 20;

    private readonly ParameterSlot[] _slots;

    public ParameterLayout(IReadOnlyList<ParameterShape> parameters)
    {
        _slots = new ParameterSlot[parameters.Count];
        long offset = 0;
        for (int i = 0; i < _slots.Length; i++)
        {
            long count = parameters[i].Shape.Aggregate(1L, (product, side) => checked(product * side));
            _slots[i] = new ParameterSlot(i, parameters[i].Name, parameters[i].Shape, offset, count);
            offset += count;
        }

        ParameterCount = offset;
        BlockCount = checked((int)((offset + BlockLength - 1) / BlockLength));
    }

    /// <summary>The parameters in order.</summary>
    public IReadOnlyList<ParameterSlot> Slots => _slots;

    public long ParameterCount { get; }

    public int BlockCount { get; }

    /// <summary>Where a block begins in the flat vector.</summary>
    public static long BlockOffset(int block) => (long)block * BlockLength;

    /// <summary>How many parameters a block has.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such block.</exception>
    public int BlockSize(int block)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(block);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(block, BlockCount);
        return (int)Math.Min(BlockLength, ParameterCount - BlockOffset(block));
    }

    /// <summary>Contiguous partitions whose sizes differ by at most one block.</summary>
    public ImmutableArray<BlockRange> Partition(int partitionCount) =>
        [.. Enumerable.Range(0, partitionCount).Select(i =>
        {
            int first = (int)((long)BlockCount * i / partitionCount);
            return new BlockRange(first, (int)((long)BlockCount * (i + 1) / partitionCount) - first);
        })];

    /// <summary>The parameter that the flat vector's element <paramref name="offset"/> belongs to.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The vector has no such element.</exception>
    public ParameterSlot SlotAt(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(offset, ParameterCount);
        int low = 0, high = _slots.Length - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (_slots[middle].Offset <= offset) low = middle;
            else high = middle - 1;
        }

        return _slots[low];
    }
}
