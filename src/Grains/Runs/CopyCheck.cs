using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>Compares the copies of a partition before a step is applied, and finds out which shards' sums differ where they do.</summary>
/// <param name="grain">Finds the copy of a partition on a silo.</param>
/// <param name="shardCount">Of the run.</param>
internal sealed class CopyCheck(Func<PartitionPlace, string, IParameterServerGrain> grain, int shardCount)
{
    /// <summary>Compares what the copies of one partition report of a step.</summary>
    /// <param name="fence">Run, step, generation.</param>
    /// <param name="place">The partition.</param>
    /// <param name="copies">Those that have all sums.</param>
    /// <param name="withTotals">The answers of the first partition, which knows who computed what.</param>
    /// <exception cref="RunFailedException">Two differ.</exception>
    public async Task CompareAsync(Fence fence, PartitionPlace place, List<(string Silo, ReductionReport Report)> copies, List<(string Silo, ReductionReport Report)> withTotals)
    {
        try
        {
            CopyComparison.Compare(copies);
        }
        catch (CopiesDifferException exception)
        {
            var different = CopyComparison.Different(
                await grain(place, exception.First).DescribeContributionsAsync(fence), await grain(place, exception.Second).DescribeContributionsAsync(fence));
            var shards = ShardSet.Union(shardCount, different.Select(Covered));
            var origins = withTotals.SelectMany(answer => answer.Report.Totals).Where(totals => shards.Any(range => totals.Shard >= range.First && totals.Shard < range.End))
                .Select(totals => totals.Origin).Distinct().Order(StringComparer.Ordinal);
            var which = shards.IsEmpty ? "a sum of theirs" : $"the sum of {string.Join(", ", shards)}, computed by {string.Join(" and by ", origins)},";
            throw new RunFailedException($"Step {fence.Step}: {which} has different bits on {exception.First} and on {exception.Second} (partition {place.Index}). A device, its memory or the way from it is not to be trusted. No parameter was changed; the run resumes from its last checkpoint.");
        }
    }

    private ShardRange Covered(TreePlace node) => new ReductionTree(shardCount).Covers(new TreeNode(node.Level, node.Index)) is var (first, end) ? new ShardRange(first, end) : default;
}
