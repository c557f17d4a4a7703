using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Copies of partitions that have not been seen whole: they take nobody's place yet, get no sums and are not asked for any. Changed
/// while nobody reduces, applies or balances.
/// </summary>
internal sealed class FillingCopies
{
    // A step then waits for the copies.
    private const int MostStepsFollowed = 32;

    private readonly Dictionary<(int Index, string Silo), FillingCopy> _copies = [];

    /// <summary>One of them. A silo may lose it and be given another of the same partition: that is not this one.</summary>
    internal sealed class FillingCopy(int index, string silo)
    {
        public int Index { get; } = index;

        public string Silo { get; } = silo;

        /// <summary>Whether it can be asked.</summary>
        public bool IsSetUp { get; set; }

        /// <summary>Steps whose gradient it took for the blocks that it had.</summary>
        public int StepsFollowed { get; set; }

        /// <summary>The last of them.</summary>
        public long LastFollowed { get; set; }
    }

    public IEnumerable<FillingCopy> All => _copies.Values;

    public bool Contains(int index, string silo) => _copies.ContainsKey((index, silo));

    /// <summary>Whether this very one is still being filled, as far as is known.</summary>
    public bool Contains(FillingCopy copy) => _copies.GetValueOrDefault((copy.Index, copy.Silo)) == copy;

    /// <summary>The one of a partition on a silo; null when that is whole, or none.</summary>
    public FillingCopy? Find(int index, string silo) => _copies.GetValueOrDefault((index, silo));

    public FillingCopy Add(int index, string silo) => _copies[(index, silo)] = new FillingCopy(index, silo);

    public void Remove(int index, string silo) => _copies.Remove((index, silo));

    public void Clear() => _copies.Clear();

    /// <summary>A map without them.</summary>
    public PartitionMap Without(PartitionMap map) => _copies.Count == 0
        ? map
        : new PartitionMap([.. map.Places.Select(place => place with { Holders = [.. place.Holders.Where(silo => !Contains(place.Index, silo))] })]);

    /// <summary>Waits until each of them is whole, or cannot be; which ones are.</summary>
    public static async Task<bool[]> FilledAsync(HolderCalls holders, Fence fence, PartitionMap map, FillingCopy[] copies) =>
        [.. (await holders.TellAsync(copies.Select(copy => map.Places[copy.Index] with { Holders = [copy.Silo] }), (_, grain) => grain.FilledAsync(fence))).Select(place => place.Answers.Count > 0)];

    /// <summary>They take the step's gradient for the blocks that they have. One that has all with it is added to its partition's whole ones.</summary>
    /// <param name="holders">Asks them.</param>
    /// <param name="fence">Run, step, generation.</param>
    /// <param name="map">Where the partitions are.</param>
    /// <param name="whole">By partition, the copies that have the whole sum.</param>
    public async Task FollowAsync(HolderCalls holders, Fence fence, PartitionMap map, List<(string Silo, ReductionReport Report)>[] whole)
    {
        var copies = All.Where(copy => copy.IsSetUp && map.Places[copy.Index].Holders.Contains(copy.Silo) && !whole[copy.Index].Exists(answer => answer.Silo == copy.Silo)).ToArray();
        // Steps that are shorter than a block is under way would never let them be filled. Of a step that they follow already they would wait for ever.
        if (copies.Any(copy => copy.StepsFollowed >= MostStepsFollowed) && !copies.Any(copy => copy.LastFollowed == fence.Step))
        {
            await FilledAsync(holders, fence, map, copies);
            foreach (var copy in copies) copy.StepsFollowed = 0;
        }

        await Task.WhenAll(copies.Select(async copy =>
        {
            (copy.StepsFollowed, copy.LastFollowed) = (copy.StepsFollowed + 1, fence.Step);
            var report = await holders.TakeReducedAsync(fence, map.Places[copy.Index], copy.Silo, whole[copy.Index][0].Silo);
            if (report is { Missing.IsEmpty: true }) whole[copy.Index].Add((copy.Silo, report));
            // It is lost, or counts from now on.
            if (report is null or { Missing.IsEmpty: true }) Remove(copy.Index, copy.Silo);
        }));
    }
}
