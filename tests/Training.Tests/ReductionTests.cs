using CsCheck;

namespace GenSlmOrleans.Training.Tests;

public sealed class ReductionTests
{
    private static readonly Gen<int> Shards = Gen.Int[1, 17];

    [Fact]
    public void Any_placement_and_any_order_of_arrival_give_the_bits_of_the_definition()
    {
        Gen.Select(Shards, Gen.ULong).Sample(
            (shardCount, seed) =>
            {
                var numbers = new Numbers(seed);
                var values = numbers.Floats(shardCount, decades: 4);
                var tree = new ReductionTree(shardCount);
                var sum = Accumulator(tree);
                var messages = numbers.Shuffled(Placement(numbers, shardCount).SelectMany(range => Local(tree, numbers, values, range.First, range.End)));
                for (int i = 0; i < messages.Length; i++)
                {
                    Assert.False(sum.IsComplete);
                    Assert.True(sum.Add(messages[i].Node, messages[i].Value));
                    // What arrives again, with whatever value, is not counted again.
                    var repeated = messages[numbers.Below(i + 1)];
                    Assert.False(sum.Add(repeated.Node, float.NaN));
                }

                Assert.True(sum.IsComplete);
                float found = sum.TakeRoot();
                Assert.Equal(BitConverter.SingleToUInt32Bits(Defined(values, tree.Root.Level, 0)!.Value), BitConverter.SingleToUInt32Bits(found));
            },
            iter: 2000,
            threads: 1);
    }

    [Fact]
    public void No_order_of_arrival_has_more_sums_waiting_than_foretold_and_some_order_has_as_many()
    {
        for (int shardCount = 1; shardCount <= 9; shardCount++)
        {
            var tree = new ReductionTree(shardCount);
            for (int silos = 1; silos <= shardCount; silos++)
            {
                var ranges = Enumerable.Range(0, silos).Select(i => (shardCount * i / silos, shardCount * (i + 1) / silos)).ToArray();
                var nodes = ranges.SelectMany(range => tree.Cover(range.Item1, range.Item2)).ToArray();
                int most = Enumerable.Range(0, 400).Max(seed => MostHeld(tree, new Numbers((ulong)seed).Shuffled(nodes)));
                Assert.True(most == tree.MostWaiting(ranges), $"{shardCount} shards on {silos} silos: {most} waited, {tree.MostWaiting(ranges)} were foretold");
            }
        }

        static int MostHeld(ReductionTree tree, TreeNode[] arrivals)
        {
            var sum = new ReductionAccumulator<int>(tree, (left, right) => left + right);
            return arrivals.Max(node =>
            {
                sum.Add(node, 1);
                return sum.Held.Count;
            });
        }
    }

    [Fact]
    public void A_cover_is_disjoint_and_exact_and_cannot_be_coarser()
    {
        Gen.Select(Shards, Gen.Int[0, 17], Gen.Int[0, 17]).Where((count, first, end) => first < end && end <= count).Sample(
            (count, first, end) =>
            {
                var tree = new ReductionTree(count);
                var cover = tree.Cover(first, end);
                Assert.Equal(Enumerable.Range(first, end - first), cover.SelectMany(node => Range(tree.Covers(node))));
                foreach (var node in cover.Where(node => node != tree.Root))
                {
                    var (parentFirst, parentEnd) = tree.Covers(tree.Parent(node));
                    Assert.True(parentFirst < first || parentEnd > end, $"{node} and its sibling could be one.");
                }
            },
            iter: 500,
            threads: 1);
        Assert.Empty(new ReductionTree(5).Cover(3, 3));
    }

    [Fact]
    public void The_root_covers_all_shards_and_its_children_do_not()
    {
        for (int count = 1; count <= 70; count++)
        {
            var tree = new ReductionTree(count);
            Assert.Equal((0, count), tree.Covers(tree.Root));
            Assert.True(count == 1 ? tree.Root.Level == 0 : tree.Covers(new TreeNode(tree.Root.Level - 1, 0)).End < count);
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => new ReductionTree(0));
    }

    [Fact]
    public void Shards_in_order_hold_few_buffers()
    {
        for (int count = 1; count <= 70; count++)
        {
            var sum = Accumulator(new ReductionTree(count));
            for (int shard = 0; shard < count; shard++)
            {
                Assert.True(sum.Add(new TreeNode(0, shard), 1));
                Assert.InRange(sum.Held.Count, 1, (int)Math.Ceiling(Math.Log2(count)) + 1);
            }

            Assert.Equal(count, sum.TakeRoot());
        }
    }

    [Fact]
    public void A_sum_takes_the_place_of_the_parts_of_it_that_are_there()
    {
        var dropped = new List<int>();
        var sum = new ReductionAccumulator<int>(new ReductionTree(6), (left, right) => left + right, dropped.Add);
        Assert.True(sum.Add(new TreeNode(0, 1), 100));
        Assert.True(sum.Add(new TreeNode(0, 2), 1));
        Assert.True(sum.Add(new TreeNode(1, 0), 5));
        Assert.Equal([100], dropped);
        Assert.False(sum.Add(new TreeNode(0, 0), 7));
        Assert.Equal([(3, 6)], sum.MissingShards);
        Assert.True(sum.Add(new TreeNode(1, 2), 20));
        Assert.True(sum.Add(new TreeNode(0, 3), 3));
        Assert.Equal(29, sum.TakeRoot());
    }

    [Fact]
    public void Nodes_that_are_not_in_the_tree_are_refused()
    {
        var sum = Accumulator(new ReductionTree(5));
        foreach (var node in new TreeNode[] { new(0, 5), new(0, -1), new(1, 3), new(4, 0), new(-1, 0) })
            Assert.Throws<ArgumentOutOfRangeException>(() => sum.Add(node, 1));
        Assert.Empty(sum.Held);
    }

    [Fact]
    public void Missing_shards_are_those_nobody_has_sent()
    {
        Gen.Select(Shards, Gen.ULong).Sample(
            (count, seed) =>
            {
                var numbers = new Numbers(seed);
                var sum = Accumulator(new ReductionTree(count));
                var sent = numbers.Shuffled(Enumerable.Range(0, count)).Take(numbers.Below(count + 1)).ToArray();
                foreach (int shard in sent) sum.Add(new TreeNode(0, shard), 1);
                Assert.Equal(Enumerable.Range(0, count).Except(sent), sum.MissingShards.SelectMany(Range));
                Assert.Equal(sent.Length == count, sum.IsComplete);
                if (!sum.IsComplete) Assert.Throws<InvalidOperationException>(() => sum.TakeRoot());
            },
            iter: 500,
            threads: 1);
    }

    [Fact]
    public void After_the_sum_is_taken_the_next_step_begins_empty()
    {
        var sum = Accumulator(new ReductionTree(3));
        for (int step = 1; step <= 2; step++)
        {
            for (int shard = 2; shard >= 0; shard--) Assert.True(sum.Add(new TreeNode(0, shard), step));
            Assert.Equal(3 * step, sum.TakeRoot());
            Assert.Empty(sum.Held);
            Assert.Equal([(0, 3)], sum.MissingShards);
        }
    }

    private static ReductionAccumulator<float> Accumulator(ReductionTree tree) => new(tree, (left, right) => left + right);

    private static IEnumerable<int> Range((int First, int End) range) => Enumerable.Range(range.First, range.End - range.First);

    /// <summary>The definition: a node's value is its left child's plus its right child's, as far as there are shards.</summary>
    private static float? Defined(float[] values, int level, int first)
    {
        if (first >= values.Length) return null;
        if (level == 0) return values[first];
        return Defined(values, level - 1, first) is { } left && Defined(values, level - 1, first + (1 << (level - 1))) is { } right
            ? left + right
            : Defined(values, level - 1, first);
    }

    /// <summary>Shards dealt out to devices, contiguous ones together.</summary>
    private static List<(int First, int End)> Placement(Numbers numbers, int shardCount)
    {
        var ranges = new List<(int First, int End)>();
        for (int first = 0; first < shardCount; first = ranges[^1].End) ranges.Add((first, first + 1 + numbers.Below(shardCount - first)));
        return ranges;
    }

    /// <summary>What a device sends for its shards, which it finishes in any order.</summary>
    private static List<(TreeNode Node, float Value)> Local(ReductionTree tree, Numbers numbers, float[] values, int first, int end)
    {
        var local = Accumulator(tree);
        foreach (int shard in numbers.Shuffled(Range((first, end)))) local.Add(new TreeNode(0, shard), values[shard]);
        var sent = local.Drain();
        Assert.Equal(tree.Cover(first, end), sent.Select(message => message.Node).OrderBy(node => tree.Covers(node).First));
        Assert.Empty(local.Held);
        return sent;
    }
}
