using System.Text.Json;
using System.Text.Json.Nodes;
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

    [Fact]
    public void A_run_goes_on_only_with_settings_that_its_steps_would_have_been_the_same_with()
    {
        var spec = new RunSpec { Data = "x", Output = "o" };
        Assert.Null(Objection(spec, spec));
        Assert.Null(Objection(spec, spec with { Epochs = 9, MaxSteps = 100, KeepBest = 4, Data = "moved", Output = "elsewhere", EarlyStoppingPatience = 3 }));
        Assert.Contains("began with batchSize 2; it cannot go on with 3.", Objection(spec, spec with { BatchSize = 3 }));
        Assert.Contains("began with threads 1; it cannot go on with 2.", Objection(spec, spec with { Threads = 2 }));
        Assert.Contains("began with bucketByLength false; it cannot go on with true.", Objection(spec, spec with { BucketByLength = true }));
        var older = RunFile(spec);
        Assert.True(older.Remove("bucketByLength"));
        Assert.Null(ResumeRule.Objection(older, Submission(spec)));
        Assert.Contains("cannot go on with true.", ResumeRule.Objection(older, Submission(spec with { BucketByLength = true })));
        var cosine = spec with { Schedule = LearningRateScheduleKind.Cosine };
        Assert.Contains("began with epochs 3; it cannot go on with 9.", Objection(cosine, cosine with { Epochs = 9 }));
        Assert.Contains("a model of another configuration", ResumeRule.Objection(RunFile(spec), new RunSubmission(spec, """{"hidden_size":65}""", true)));

        static string? Objection(RunSpec before, RunSpec now) => ResumeRule.Objection(RunFile(before), Submission(now));

        static RunSubmission Submission(RunSpec spec) => new(spec, """{"hidden_size":64}""", true);

        static JsonObject RunFile(RunSpec spec)
        {
            var run = JsonSerializer.SerializeToNode(spec, RunSpec.JsonOptions)!.AsObject();
            run["resolved"] = new JsonObject { ["modelConfig"] = new JsonObject { ["hidden_size"] = 64 } };
            return run;
        }
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(4, 3)]
    [InlineData(7, 2)]
    [InlineData(16, 5)]
    public void Shards_are_contiguous_even_and_complete(int shardCount, int siloCount)
    {
        var shares = ShardPlacement.Shares(shardCount, [.. Enumerable.Range(0, siloCount).Select(i => new DeviceName($"silo-{i}", "cpu"))]);
        Assert.Equal(Math.Min(shardCount, siloCount), shares.Length);
        Assert.Equal(Enumerable.Range(0, shardCount), shares.SelectMany(share => Enumerable.Range(share.FirstShard, share.EndShard - share.FirstShard)));
        Assert.True(shares.Max(share => share.EndShard - share.FirstShard) - shares.Min(share => share.EndShard - share.FirstShard) <= 1);
    }

    [Fact]
    public void Partitions_cover_all_blocks_whoever_holds_them()
    {
        var layout = new ParameterLayout([new ParameterShape("w", [7L * ParameterLayout.BlockLength])]);
        var map = PartitionPlacement.Next(PartitionPlacement.Empty(layout), ["a", "b"]);
        Assert.Equal(Enumerable.Range(0, 7), map.Places.SelectMany(place => Enumerable.Range(place.FirstBlock, place.BlockCount)));
        Assert.All(Enumerable.Range(0, 7), block => Assert.InRange(block, map.Owner(block).FirstBlock, map.Owner(block).FirstBlock + map.Owner(block).BlockCount - 1));
        Assert.All(map.Places, place => Assert.Equal(["a", "b"], place.Holders.Order(StringComparer.Ordinal)));
    }
}
