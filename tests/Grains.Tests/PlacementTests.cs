using System.Collections.Immutable;
using CsCheck;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Who holds, computes and gets what: pure functions.</summary>
public sealed class PlacementTests
{
    private static readonly PartitionMap ThirtyTwo = PartitionPlacement.Empty(new ParameterLayout([new ParameterShape("w", [40L * ParameterLayout.BlockLength])]));

    /// <summary>A cluster that changes: each number is the set of live silos, as bits.</summary>
    private static readonly Gen<int[]> Changes = Gen.Int[1, 31].Array[1, 6];

    [Fact]
    public void Every_partition_has_a_holder_and_a_standby_elsewhere_and_loads_differ_little_whatever_has_come_and_gone() => Changes.Sample(
        changes =>
        {
            var map = ThirtyTwo;
            foreach (int change in changes)
            {
                var silos = Silos(change);
                map = PartitionPlacement.Next(map, silos);
                foreach (var place in map.Places)
                {
                    Assert.Equal(Math.Min(2, silos.Length), place.Holders.Distinct().Count());
                    Assert.All(place.Holders, holder => Assert.Contains(holder, silos));
                }

                int quota = (map.Places.Length + silos.Length - 1) / silos.Length;
                foreach (var silo in silos) Assert.True(map.Places.Count(place => place.Holders[0] == silo) <= quota);
            }
        },
        iter: 500,
        threads: 1);

    [Fact]
    public void Nothing_moves_while_nothing_changes_and_a_standby_takes_over_without_a_copy()
    {
        var map = PartitionPlacement.Next(ThirtyTwo, ["a", "b", "c"]);
        Assert.Equal(Holders(map), Holders(PartitionPlacement.Next(map, ["a", "b", "c"])));
        var after = PartitionPlacement.Next(map, ["a", "c"]);
        foreach (var (before, now) in map.Places.Zip(after.Places))
            Assert.Contains(before.Holders.First(holder => holder != "b"), now.Holders);
        var copies = map.Places.Zip(after.Places).Sum(pair => pair.Second.Holders.Except(pair.First.Holders).Count());
        Assert.True(copies <= map.Places.Sum(place => place.Holders.Count(holder => holder == "b")), $"{copies} copies");

        static string[] Holders(PartitionMap map) => [.. map.Places.Select(place => string.Join(' ', place.Holders))];
    }

    [Fact]
    public void Missing_shards_are_spread_evenly_and_completely() => Gen.Select(Gen.Int[0, 9].Array[1, 6], Gen.Int[1, 5]).Sample(
        (lengths, devices) =>
        {
            int next = 0;
            var ranges = lengths.Where(length => length > 0).Select(length =>
            {
                var range = new ShardRange(next + 1, next + 1 + length);
                next = range.End;
                return range;
            }).ToArray();
            if (ranges.Length == 0) return;
            var spread = ShardPlacement.Spread(ranges, devices);
            Assert.Equal(ranges.SelectMany(Shards), spread.SelectMany(part => part).SelectMany(Shards));
            var counts = spread.Select(part => part.Sum(range => range.Count)).ToArray();
            Assert.True(counts.Max() - counts.Min() <= 1);

            static IEnumerable<int> Shards(ShardRange range) => Enumerable.Range(range.First, range.Count);
        },
        iter: 500,
        threads: 1);

    [Fact]
    public void Runs_get_their_least_in_order_and_share_what_is_left()
    {
        var first = Run("first", minute: 0, least: 1, most: 8);
        var second = Run("second", minute: 1, least: 1, most: 8);
        var greedy = Run("greedy", minute: 2, least: 5, most: 8);
        var urgent = Run("urgent", minute: 3, least: 2, most: 2) with { Priority = 1 };
        Assert.Equal([("first", 4)], Counts([first], 4));
        Assert.Equal([("first", 2), ("second", 2)], Counts([second, first], 4));
        Assert.Equal([("first", 2), ("second", 2)], Counts([first, second, greedy], 4));
        Assert.Equal([("first", 1), ("second", 1), ("urgent", 2)], Counts([first, second, urgent], 4));
        Assert.Equal([("urgent", 2)], Counts([first, second, urgent], 2));
        Assert.Equal([("first", 1)], Counts([first, second], 1));

        static IEnumerable<(string, int)> Counts(QueuedRun[] runs, int devices) => Allot(runs, devices, [])
            .Select(pair => (pair.Key, pair.Value.Length))
            .OrderBy(pair => pair.Key, StringComparer.Ordinal);
    }

    [Fact]
    public void A_run_keeps_its_devices_when_another_comes_and_none_is_given_twice()
    {
        var (first, second) = (Run("first", 0, 1, 8), Run("second", 1, 1, 8));
        var alone = Allot([first], 4, []);
        var both = Allot([first, second], 4, alone);
        Assert.Subset(alone["first"].ToHashSet(), both["first"].ToHashSet());
        Assert.Empty(both["first"].Intersect(both["second"]));
        Assert.Equal(both, Allot([first, second], 4, both), (a, b) => a.Count == b.Count && a.All(pair => pair.Value.SequenceEqual(b[pair.Key])));
    }

    private static ImmutableDictionary<string, ImmutableArray<DeviceName>> Allot(
        QueuedRun[] runs, int devices, IEnumerable<KeyValuePair<string, ImmutableArray<DeviceName>>> before) =>
        DeviceAllotment.Allot(runs, [.. Enumerable.Range(0, devices).Select(i => new DeviceName($"silo-{i}", "cpu"))], before.ToImmutableDictionary());

    private static QueuedRun Run(string id, int minute, int least, int most) =>
        new(id, 0, new DateTimeOffset(2026, 1, 1, 0, minute, 0, TimeSpan.Zero), least, most, "", Active: true);

    private static string[] Silos(int bits) => [.. Enumerable.Range(0, 5).Where(i => (bits & (1 << i)) != 0).Select(i => $"silo-{i}")];
}
