using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Which silos hold which partitions: a pure function of who holds them now and who may. Each partition has a first holder
/// and one standing by on another silo, spread evenly; nothing moves that need not.
/// </summary>
public static class PartitionPlacement
{
    /// <summary>How many copies of a partition there are where there are silos enough: one may die.</summary>
    public const int Copies = 2;

    // Fine enough that silos' loads differ little, coarse enough that a step's calls do not count.
    internal const int MostPartitions = 32;

    /// <summary>The partitions of a model, as yet without holders: a function of the model alone, so that they can move but never change.</summary>
    public static PartitionMap Empty(ParameterLayout layout) => new(
        [.. layout.Partition(Math.Min(layout.BlockCount, MostPartitions)).Select((range, index) => new PartitionPlace(index, range.First, range.Count, []))]);

    /// <summary>Where the partitions are to be.</summary>
    /// <param name="now">Their holders now; those that are not in <paramref name="silos"/> do not count.</param>
    /// <param name="silos">The silos that may hold partitions, at least one.</param>
    public static PartitionMap Next(PartitionMap now, IReadOnlyList<string> silos)
    {
        int quota = (now.Places.Length + silos.Count - 1) / silos.Count;
        var first = silos.ToDictionary(silo => silo, _ => 0, StringComparer.Ordinal);
        var standby = silos.ToDictionary(silo => silo, _ => 0, StringComparer.Ordinal);
        var places = ImmutableArray.CreateBuilder<PartitionPlace>(now.Places.Length);
        foreach (var place in now.Places)
        {
            var known = place.Holders.Where(first.ContainsKey).ToArray();
            // A copy that stands by takes over without moving a byte; only then a silo that has none.
            var holder = known.FirstOrDefault(silo => first[silo] < quota) ?? Fewest(silos, first);
            first[holder]++;
            var holders = ImmutableArray.Create(holder);
            if (silos.Count > 1)
            {
                var second = known.FirstOrDefault(silo => silo != holder && standby[silo] < quota) ?? Fewest(silos.Where(silo => silo != holder), standby);
                standby[second]++;
                holders = holders.Add(second);
            }

            places.Add(place with { Holders = holders });
        }

        return new PartitionMap(places.ToImmutable());
    }

    private static string Fewest(IEnumerable<string> silos, Dictionary<string, int> counts) => silos.MinBy(silo => counts[silo])!;
}
