using CsCheck;

namespace GenSlmOrleans.Training.Tests;

public sealed class ParameterLayoutTests
{
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(ParameterLayout.BlockLength - 1, 1, ParameterLayout.BlockLength - 1)]
    [InlineData(ParameterLayout.BlockLength, 1, ParameterLayout.BlockLength)]
    [InlineData(ParameterLayout.BlockLength + 1, 2, 1)]
    [InlineData(25_290_752, 25, 124_928)]
    [InlineData(25_076_188_032, 23_915, 541_568)]
    public void Blocks_are_full_but_for_the_last(long count, int blocks, int last)
    {
        var layout = new ParameterLayout([new ParameterShape("w", [count])]);
        Assert.Equal((count, blocks, last), (layout.ParameterCount, layout.BlockCount, layout.BlockSize(blocks - 1)));
        Assert.Equal(count, ParameterLayout.BlockOffset(blocks - 1) + last);
        Assert.All(Enumerable.Range(0, blocks - 1), block => Assert.Equal(ParameterLayout.BlockLength, layout.BlockSize(block)));
    }

    [Fact]
    public void Partitions_are_contiguous_and_differ_by_at_most_a_block()
    {
        Gen.Select(Gen.Int[1, 200], Gen.Int[1, 40]).Sample(
            (blocks, partitions) =>
            {
                var layout = new ParameterLayout([new ParameterShape("w", [blocks, ParameterLayout.BlockLength])]);
                var ranges = layout.Partition(partitions);
                Assert.Equal(partitions, ranges.Length);
                Assert.Equal(Enumerable.Range(0, blocks), ranges.SelectMany(range => Enumerable.Range(range.First, range.Count)));
                Assert.InRange(ranges.Max(range => range.Count) - ranges.Min(range => range.Count), 0, 1);
            },
            iter: 500,
            threads: 1);
    }

    [Fact]
    public void Parameters_lie_end_to_end_and_every_element_finds_its_own()
    {
        var layout = new ParameterLayout([new("a", [3, 2]), new("b", [1]), new("c", []), new("d", [2, 2, 2])]);
        Assert.Equal([("a", 0L, 6L), ("b", 6L, 1L), ("c", 7L, 1L), ("d", 8L, 8L)], layout.Slots.Select(slot => (slot.Name, slot.Offset, slot.Count)));
        Assert.Equal("aaaaaabcdddddddd", string.Concat(Enumerable.Range(0, 16).Select(offset => layout.SlotAt(offset).Name)));
        Assert.All(layout.Slots, slot => Assert.Same(slot, layout.Slots[slot.Index]));
        foreach (long outside in new long[] { -1, 16 }) Assert.Throws<ArgumentOutOfRangeException>(() => layout.SlotAt(outside));
        foreach (int outside in new[] { -1, 1 }) Assert.Throws<ArgumentOutOfRangeException>(() => layout.BlockSize(outside));
        Assert.Throws<OverflowException>(() => new ParameterLayout([new ParameterShape("w", [long.MaxValue, 2])]));
    }
}
