using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// Copies of partitions that have not been seen whole: they take nobody's place yet, get no sums and are not asked for any. Changed
/// while nobody reduces, applies or balances.
/// </summary>
internal sealed class FillingCopies
{
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
}
