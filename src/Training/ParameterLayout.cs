using System.Collections.Immutable;

namespace GenSlmOrleans.Training;

/// <summary>A parameter's name and shape.</summary>
public sealed record ParameterShape(string Name, ImmutableArray<long> Shape);

/// <summary>A parameter's place in the flat vector.</summary>
public sealed record ParameterSlot(string Name, ImmutableArray<long> Shape, long Offset, long Count);

/// <summary>A run of blocks.</summary>
public readonly record struct BlockRange(int First, int Count);

/// <summary>The flat fp32 parameter vector: parameters end to end in state-dict order, cut into blocks of 2^20.</summary>
public sealed class ParameterLayout
{
    public const int BlockLength = 1 << 20;
    private readonly List<ParameterSlot> _slots = [];

    public ParameterLayout(IReadOnlyList<ParameterShape> parameters)
    {
        long offset = 0;
        foreach (var parameter in parameters)
        {
            long count = parameter.Shape.Aggregate(1L, (product, side) => product * side);
            _slots.Add(new ParameterSlot(parameter.Name, parameter.Shape, offset, count));
            offset += count;
        }

        ParameterCount = offset;
        BlockCount = checked((int)((offset + BlockLength - 1) / BlockLength));
    }

    public IReadOnlyList<ParameterSlot> Slots => _slots;
    public long ParameterCount { get; }
    public int BlockCount { get; }
    public long BlockOffset(int block) => (long)block * BlockLength;
    public int BlockSize(int block) => (int)Math.Min(BlockLength, ParameterCount - BlockOffset(block));

    public ImmutableArray<BlockRange> Partition(int partitionCount) =>
        [.. Enumerable.Range(0, partitionCount).Select(i =>
        {
            int first = (int)((long)BlockCount * i / partitionCount), end = (int)((long)BlockCount * (i + 1) / partitionCount);
            return new BlockRange(first, end - first);
        })];

    public int IndexOf(ParameterSlot slot) => _slots.IndexOf(slot);

    public ParameterSlot SlotAt(long offset) => _slots.Last(slot => slot.Offset <= offset);
}
