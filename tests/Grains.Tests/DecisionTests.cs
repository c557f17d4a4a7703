using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Checkpoints;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Testing;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The pure rules: what goes where, and which checkpoint stays.</summary>
public sealed class DecisionTests
{
    [Fact]
    public void The_best_and_the_last_checkpoints_stay()
    {
        CheckpointEntry[] entries = [new("a", 1, 2.0), new("b", 2, 1.5), new("c", 3, 1.5), new("d", 4, double.NaN), new("e", 5, null)];
        Assert.Equal("b", BestCheckpoints.Best(entries)!.Name);
        Assert.Equal("e", BestCheckpoints.Last(entries)!.Name);
        Assert.Equal(["a", "c", "d"], BestCheckpoints.Superfluous(entries, 1).Select(entry => entry.Name));
        Assert.Equal(["a", "d"], BestCheckpoints.Superfluous(entries, 2).Select(entry => entry.Name));
        Assert.Empty(BestCheckpoints.Superfluous(entries, -1));
        Assert.Null(BestCheckpoints.Best([new("x", 1, null)]));
    }

    [Fact]
    public void Checkpoints_are_named_as_the_script_names_them_and_a_clash_gets_a_version()
    {
        using var folder = new TemporaryFolder();
        var checkpoints = new CheckpointFolder(folder.Path);
        Assert.Equal("flu-02-0.57", checkpoints.FreeName("flu", 2, 40, 0.5678));
        Assert.Equal("flu-00-step7", checkpoints.FreeName("flu", 0, 7, null));
        Directory.CreateDirectory(Path.Combine(checkpoints.FullPath, "flu-02-0.57"));
        Assert.Equal("flu-02-0.57-v1", checkpoints.FreeName("flu", 2, 41, 0.5678));
        Directory.CreateDirectory(Path.Combine(checkpoints.FullPath, "flu-02-0.57-v1"));
        Assert.Equal("flu-02-0.57-v2", checkpoints.FreeName("flu", 2, 42, 0.5678));
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(4, 3)]
    [InlineData(7, 2)]
    [InlineData(16, 5)]
    public void Shards_are_contiguous_even_and_complete(int shardCount, int siloCount)
    {
        var shares = ClusterPlacement.Shards(shardCount, [.. Enumerable.Range(0, siloCount).Select(i => new SiloOffer($"silo-{i}", ["cpu"]))]);
        Assert.Equal(Math.Min(shardCount, siloCount), shares.Length);
        Assert.Equal(Enumerable.Range(0, shardCount), shares.SelectMany(share => Enumerable.Range(share.FirstShard, share.EndShard - share.FirstShard)));
        Assert.True(shares.Max(share => share.EndShard - share.FirstShard) - shares.Min(share => share.EndShard - share.FirstShard) <= 1);
    }

    [Fact]
    public void Partitions_cover_all_blocks_and_spread_over_the_silos()
    {
        var layout = new ParameterLayout([new ParameterShape("w", [7L * ParameterLayout.BlockLength])]);
        var map = ClusterPlacement.Partitions(layout, [new SiloOffer("a", ["cpu"]), new SiloOffer("b", ["cpu"])]);
        Assert.Equal(["a", "a", "b", "b"], map.Places.Select(place => place.Silo));
        Assert.Equal(Enumerable.Range(0, 7), map.Places.SelectMany(place => Enumerable.Range(place.FirstBlock, place.BlockCount)));
        Assert.All(Enumerable.Range(0, 7), block => Assert.InRange(block, map.Owner(block).FirstBlock, map.Owner(block).FirstBlock + map.Owner(block).BlockCount - 1));
    }
}
