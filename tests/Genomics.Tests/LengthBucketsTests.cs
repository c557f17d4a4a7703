using System.Collections.Immutable;
using CsCheck;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class LengthBucketsTests
{
    /// <summary>2,000 records of 10 to 2,000 tokens, short ones as many as long ones of ten times their length.</summary>
    private static readonly ImmutableArray<int> Mixed = [.. Enumerable.Range(0, 2000).Select(record => (int)(10 * Math.Exp(CounterRandom.Unit(1, RandomPurpose.Simulation, 0, (ulong)record) * Math.Log(200))))];

    [Fact]
    public void Every_record_of_a_shard_comes_exactly_once_an_epoch_and_its_lengths_alone_decide_where() =>
        Gen.Select(Gen.Int[1, 300], Gen.Int[1, 5], Gen.Int[1, 9], Gen.ULong, Gen.Bool, Gen.Int[0, 5], Gen.Int[1, 60]).Sample(
            (records, shards, batchSize, seed, shuffle, epoch, longest) =>
            {
                ImmutableArray<int> lengths = [.. Enumerable.Range(0, records).Select(record => 1 + CounterRandom.Below(longest, seed, RandomPurpose.Simulation, 0, (ulong)record))];
                var training = DataSplit.Create(records, 0, seed).Training;
                var plain = new SamplingOrder(training, shards, seed, shuffle);
                var bucketed = new SamplingOrder(training, shards, seed, shuffle, new LengthBuckets(lengths, batchSize));
                var again = new SamplingOrder(training, shards, seed, shuffle, new LengthBuckets([.. lengths], batchSize));
                for (int shard = 0; shard < shards; shard++)
                {
                    var (before, order) = (plain.Epoch(shard, epoch), bucketed.Epoch(shard, epoch));
                    Assert.Equal(before.Order(), order.Order());
                    Assert.Equal(order, again.Epoch(shard, epoch));
                    if (batchSize == 1) Assert.Equal(before, order);
                    // Whatever comes together, no more is padded than when it comes as drawn, but for the micro-batch that is not full.
                    if (before.Length % batchSize == 0) Assert.True(Computed(order, lengths, batchSize) <= Computed(before, lengths, batchSize));
                }
            },
            iter: 500,
            threads: 1);

    [Theory]
    [InlineData(2, true, 0.03)]
    [InlineData(8, true, 0.06)]
    [InlineData(8, false, 0.06)]
    [InlineData(32, true, 0.2)]
    public void Little_is_padded_where_lengths_differ(int batchSize, bool shuffle, double most)
    {
        var training = DataSplit.Create(Mixed.Length, 0, 3).Training;
        double Padded(LengthBuckets? buckets) => Enumerable.Range(0, 2).Average(shard =>
            new SamplingOrder(training, 2, 3, shuffle, buckets).Epoch(shard, 1) is var order ? 1 - ((double)order.Sum(record => Mixed[record]) / Computed(order, Mixed, batchSize)) : 0);
        Assert.InRange(Padded(null), 0.3, 0.9);
        Assert.InRange(Padded(new LengthBuckets(Mixed, batchSize)), 0, most);
    }

    [Fact]
    public void Shuffled_micro_batches_differ_from_epoch_to_epoch_and_come_in_no_order_of_length()
    {
        var order = new SamplingOrder(DataSplit.Create(Mixed.Length, 0, 3).Training, 1, 3, shuffle: true, new LengthBuckets(Mixed, 8));
        var (first, second) = (Batches(order.Epoch(0, 0), 8), Batches(order.Epoch(0, 1), 8));
        Assert.InRange(first.Select(Text).Intersect(second.Select(Text)).Count(), 0, 2);
        int[] longest = [.. first.Select(batch => batch.Max(record => Mixed[record]))];
        // Half of the steps up, half down; and the halves of the epoch are alike.
        Assert.InRange(longest.Zip(longest.Skip(1)).Count(pair => pair.First < pair.Second), 100, 150);
        Assert.InRange(longest.Take(125).Average() / longest.Skip(125).Average(), 0.75, 1.33);

        static string Text(int[] batch) => string.Join(' ', batch.Order());
    }

    [Fact]
    public void Without_shuffling_micro_batches_come_as_their_first_records_do_in_the_file_in_every_epoch()
    {
        var order = new SamplingOrder(DataSplit.Create(Mixed.Length, 0, 3).Training, 3, 3, shuffle: false, new LengthBuckets(Mixed, 8));
        Assert.Equal(order.Epoch(1, 0), order.Epoch(1, 7));
        int[] firsts = [.. Batches(order.Epoch(1, 0), 8).Where(batch => batch.Length == 8).Select(batch => batch.Min())];
        Assert.Equal(firsts.Order(), firsts);
    }

    [Fact]
    public void The_micro_batch_that_is_not_full_comes_last_and_is_of_any_length()
    {
        ImmutableArray<int> lengths = [.. Enumerable.Range(1, 33)];
        var order = new SamplingOrder(DataSplit.Create(33, 0, 1).Training, 1, 1, shuffle: true, new LengthBuckets(lengths, 8));
        // 16 records are a pool: the last has one record, whichever was drawn last.
        Assert.InRange(Enumerable.Range(0, 40).Select(epoch => order.Epoch(0, epoch)[^1]).Distinct().Count(), 15, 33);
        // Of 47, the last has 15: the 7 shortest or the 7 longest of them.
        var longer = new SamplingOrder(DataSplit.Create(47, 0, 1).Training, 1, 1, shuffle: true, new LengthBuckets([.. Enumerable.Range(1, 47)], 8));
        double[] left = [.. Enumerable.Range(0, 40).Select(epoch => longer.Epoch(0, epoch)[^7..].Average())];
        Assert.Contains(left, length => length < 15);
        Assert.Contains(left, length => length > 31);
    }

    [Fact]
    public void The_bits_never_change()
    {
        ImmutableArray<int> lengths = [.. Enumerable.Range(0, 26).Select(record => (record * 5) % 13)];
        string Order(bool shuffle) => string.Join(' ', new SamplingOrder(DataSplit.Create(26, 0, 42).Training, 2, 42, shuffle, new LengthBuckets(lengths, 3)).Epoch(1, 3));
        // As a second implementation has it, of a few lines of Python.
        Assert.Equal("11 19 1 7 15 5 13 21 3 9 25 23 17", Order(shuffle: true));
        Assert.Equal("3 11 1 9 7 5 13 21 19 17 15 23 25", Order(shuffle: false));
    }

    private static int[][] Batches(int[] order, int batchSize) => [.. order.Chunk(batchSize)];

    /// <summary>Tokens that go through the model, padding included.</summary>
    private static long Computed(int[] order, ImmutableArray<int> lengths, int batchSize) =>
        Batches(order, batchSize).Sum(batch => (long)batch.Length * batch.Max(record => lengths[record]));
}
