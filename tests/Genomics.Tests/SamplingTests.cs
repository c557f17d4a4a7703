using System.Runtime.Intrinsics.X86;
using CsCheck;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class SamplingTests
{
    private delegate int SumOfWords(ulong seed, RandomPurpose purpose, ulong stream, int draws, Span<ulong> sums);

    // Those that this processor has.
    private static IEnumerable<SumOfWords> Widths
    {
        get
        {
            if (Avx512F.IsSupported) yield return CounterWords.Sum512;
            if (Avx2.IsSupported) yield return CounterWords.Sum256;
        }
    }

    [Fact]
    public void Philox_gives_the_published_numbers()
    {
        // Known answers of Random123 (kat_vectors, philox4x32 10).
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), CounterRandom.Philox((0, 0, 0, 0), (0, 0)));
        Assert.Equal((0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu), CounterRandom.Philox((~0u, ~0u, ~0u, ~0u), (~0u, ~0u)));
        Assert.Equal(
            (0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u),
            CounterRandom.Philox((0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344), (0xa4093822, 0x299f31d0)));
    }

    [Fact]
    public void Words_of_many_streams_are_those_of_each_whatever_the_width_of_the_processors_vectors() =>
        Gen.Select(Gen.ULong, Gen.OneOf(Gen.ULong, Gen.ULong[uint.MaxValue - 20UL, uint.MaxValue + 20UL], Gen.Const(ulong.MaxValue - 3)), Gen.Int[0, 40], Gen.Int[1, 4]).Sample(
            (seed, stream, count, draws) =>
            {
                var expected = new ulong[count];
                CounterWords.SumOneByOne(seed, RandomPurpose.Initialization, stream, draws, expected);
                foreach (var sum in Widths)
                {
                    var found = new ulong[count];
                    int done = sum(seed, RandomPurpose.Initialization, stream, draws, found);
                    Assert.InRange(done, Math.Max(0, count - 7), count);
                    Assert.Equal(expected[..done], found[..done]);
                }

                var whole = new ulong[count];
                CounterWords.Sum(seed, RandomPurpose.Initialization, stream, draws, whole);
                Assert.Equal(expected, whole);
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void Every_record_is_seen_exactly_once_an_epoch_whatever_the_number_of_shards() =>
        Gen.Select(Gen.Int[1, 200], Gen.Int[1, 9], Gen.ULong, Gen.Bool, Gen.Int[0, 5], Gen.Double[0, 0.9]).Sample(
            (records, shards, seed, shuffle, epoch, fraction) =>
            {
                var split = DataSplit.Create(records, fraction, seed);
                var order = new SamplingOrder(split.Training, shards, seed, shuffle);
                var seen = Enumerable.Range(0, shards).SelectMany(shard => order.Epoch(shard, epoch)).ToArray();
                Assert.Equal(split.Training, seen.Order());
                Assert.Equal(Enumerable.Range(0, records), split.Training.Concat(split.Validation).Order());
                var sizes = Enumerable.Range(0, shards).Select(order.RecordCount).ToArray();
                Assert.True(sizes.Max() - sizes.Min() <= 1);
                Assert.Equal(sizes, Enumerable.Range(0, shards).Select(shard => order.Epoch(shard, epoch).Length));
            },
            iter: 500,
            threads: 1);

    [Fact]
    public void Shuffling_draws_a_new_order_every_epoch_and_shard_and_not_shuffling_keeps_the_files()
    {
        var records = DataSplit.Create(64, 0, 1).Training;
        var shuffled = new SamplingOrder(records, 2, 1, shuffle: true);
        Assert.NotEqual(shuffled.Epoch(0, 0), shuffled.Epoch(0, 1));
        Assert.NotEqual(shuffled.Epoch(0, 0), shuffled.Epoch(1, 0).Select(record => record - 1));
        Assert.Equal(shuffled.Epoch(1, 3), shuffled.Epoch(1, 3));
        Assert.Equal(Enumerable.Range(0, 32).Select(i => (2 * i) + 1), new SamplingOrder(records, 2, 1, shuffle: false).Epoch(1, 5));
    }

    [Fact]
    public void The_bits_never_change()
    {
        // What runs of yesterday were split and ordered by.
        var split = DataSplit.Create(20, 0.2, 42);
        Assert.Equal("2 4 9 11", string.Join(' ', split.Validation));
        Assert.Equal("13 15 19 5 1 17 10 7", string.Join(' ', new SamplingOrder(split.Training, 2, 42, shuffle: true).Epoch(1, 3)));
    }

    [Theory]
    [InlineData(10, 0.2, 2)]
    [InlineData(2, 0.01, 1)]
    [InlineData(2, 0.99, 1)]
    [InlineData(1, 0.5, 0)]
    [InlineData(10, 0.0, 0)]
    public void The_validation_share_leaves_something_to_train_on(int records, double fraction, int expected) =>
        Assert.Equal(expected, DataSplit.Create(records, fraction, 7).Validation.Length);
}
