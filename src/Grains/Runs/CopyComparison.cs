using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>Two copies of a partition have different sums of one step: somebody computed or sent something else the second time.</summary>
internal sealed class CopiesDifferException(string first, string second, int block)
    : Exception($"the copies on {first} and {second} have different sums in block {block}")
{
    public string First => first;

    public string Second => second;
}

/// <summary>
/// Copies of a partition are fed alike, so their sums are alike to the last bit, and with them their checksums. Where they are not, one of two devices (or one device, twice) has given different bits for the same shard:
/// the run must not go on with either.
/// </summary>
internal static class CopyComparison
{
    /// <summary>Compares what the copies of one partition report of a step.</summary>
    /// <exception cref="CopiesDifferException">Two differ.</exception>
    public static void Compare(IReadOnlyList<(string Silo, ReductionReport Report)> copies)
    {
        var (first, expected) = copies[0];
        foreach (var (other, found) in copies.Skip(1))
        {
            for (int block = 0; block < expected.Checksums.Length; block++)
                // Which NaN comes of two depends on which was added to which; a step with one is never applied.
                if (expected.Checksums[block] != found.Checksums[block] && !(double.IsNaN(expected.SquaredNorms[block]) && double.IsNaN(found.SquaredNorms[block]))) throw new CopiesDifferException(first, other, block);
        }
    }

    /// <summary>The nodes whose sums arrived differently at two copies, in shard order.</summary>
    public static IReadOnlyList<TreePlace> Different(IEnumerable<ContributionDigest> first, IEnumerable<ContributionDigest> second)
    {
        var known = first.ToLookup(arrived => (arrived.Block, arrived.Node), arrived => arrived.Checksum);
        return [.. second
            .Where(arrived => known[(arrived.Block, arrived.Node)] is var checksums && checksums.Any() && !checksums.Contains(arrived.Checksum))
            .Select(arrived => arrived.Node).Distinct().OrderBy(node => (long)node.Index << node.Level)];
    }
}
