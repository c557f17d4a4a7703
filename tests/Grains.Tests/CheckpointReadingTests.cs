using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Reading checkpoints through their grain.</summary>
public sealed class CheckpointReadingTests
{
    /// <summary>3.2 million parameters: four blocks.</summary>
    private static readonly HuggingFaceConfig FourBlocks = ModelPresets.Find("tiny")! with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 };

    [Fact]
    public async Task A_checkpoint_is_verified_and_opened_once_however_many_blocks_are_read()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var status = await cluster.RunAsync("read", new RunSpec { Data = cluster.Fasta(12, 24), Epochs = 1, MaxSteps = 1 }, FourBlocks);
        Assert.Equal(RunState.Completed, status.State);
        var keeper = cluster.Grains.GetGrain<ICheckpointGrain>("read");
        using (await keeper.ReadAsync(status.LastCheckpoint, 0, 1 << 20))
        {
            // What was opened with the first block stays open: with its names gone, nothing can be opened or hashed again.
            Directory.Move(status.LastCheckpoint, status.LastCheckpoint + "-moved");
        }

        using var file = WeightFile.Open(Directory.GetFiles(status.LastCheckpoint + "-moved", "part-00000-*").Single());
        using var vector = new FlatVector(file, [.. Enumerable.Range(0, file.Tensors.Count)]);
        var expected = new float[1 << 20];
        var blocks = await Task.WhenAll(Enumerable.Range(1, 2).SelectMany(block => Enumerable.Repeat(block, 4)).Select(block => keeper.ReadAsync(status.LastCheckpoint, block, 1 << 20)));
        foreach (var block in blocks)
        {
            vector.Read((long)block.Index << 20, expected);
            Assert.True(block.Values.SequenceEqual(expected));
            block.Dispose();
        }
    }

    [Fact]
    public async Task A_checkpoint_that_is_not_there_is_a_sentence_and_is_looked_for_again()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var status = await cluster.RunAsync("again", new RunSpec { Data = cluster.Fasta(12, 24), Epochs = 1, MaxSteps = 1 }, ModelPresets.Find("tiny")!);
        var keeper = cluster.Grains.GetGrain<ICheckpointGrain>("again");
        Directory.Move(status.LastCheckpoint, status.LastCheckpoint + "-moved");
        var refusal = await Assert.ThrowsAsync<RunInputException>(() => keeper.ReadAsync(status.LastCheckpoint, 0, 1000));
        Assert.Contains("does not exist; expected a checkpoint folder with a manifest.", refusal.Message);
        Directory.Move(status.LastCheckpoint + "-moved", status.LastCheckpoint);
        using var block = await keeper.ReadAsync(status.LastCheckpoint, 0, 1000);
        Assert.Equal(1000, block.Length);
    }
}
