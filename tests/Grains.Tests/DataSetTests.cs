using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Runs whose data are more than one FASTA file: sets of their own for validation and testing, GenSLM's HDF5, several files.</summary>
public sealed class DataSetTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    private static readonly string Hdf5 = Path.Combine(AppContext.BaseDirectory, "fixtures", "genslm.h5");

    // So high a rate that the last weights are not the best ones.
    private static readonly RunSpec Settings = new() { AccumulationSteps = 2, LearningRate = 0.05, Epochs = 3, ValEvery = "1", Shards = 2 };

    [Fact]
    public async Task The_best_weights_are_tested_on_their_own_set_whatever_the_silos()
    {
        await using var one = await TestCluster.StartAsync(1);
        await using var two = await TestCluster.StartAsync(2);
        // With the same file as both sets, the best weights' loss is known twice.
        var spec = Settings with { Data = one.Fasta(12, 30), ValData = Hdf5, TestData = Hdf5 };
        var expected = await one.RunAsync("one", spec, Tiny);
        var found = await two.RunAsync("two", spec, Tiny);
        Assert.Equal((RunState.Completed, null), (expected.State, expected.Failure?.Message));
        Assert.NotEqual(expected.Step, expected.BestStep);
        Assert.Equal(expected.BestValidationLoss, expected.TestLoss);
        Assert.Equal((expected.WeightsSha256, expected.TestLoss), (found.WeightsSha256, found.TestLoss));
        Assert.Contains(expected.Events, happened => happened.Text.Contains("12 for training, 14 for validation, 14 for testing"));
    }

    [Fact]
    public async Task Training_on_an_HDF5_file_is_training_on_the_sequences_it_was_made_of()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var sequences = Path.Combine(AppContext.BaseDirectory, "fixtures", "records.fasta");
        var fasta = await cluster.RunAsync("fasta", Settings with { Data = sequences, SeqLength = 32, TestData = Hdf5 }, Tiny);
        var hdf5 = await cluster.RunAsync("hdf5", Settings with { Data = Hdf5, SeqLength = 32 }, Tiny);
        Assert.Equal((RunState.Completed, RunState.Completed), (fasta.State, hdf5.State));
        Assert.Equal((fasta.WeightsSha256, null), (hdf5.WeightsSha256, hdf5.TestLoss));
        Assert.NotNull(fasta.TestLoss);
    }

    [Fact]
    public async Task Several_files_are_one_in_their_order_and_a_change_of_any_ends_the_way_back()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var (first, second) = (cluster.Fasta(7, 30), cluster.Fasta(6, 20));
        var both = cluster.Output("both.fasta");
        await File.WriteAllTextAsync(both, await TextAsync(first) + await TextAsync(second), TestContext.Current.CancellationToken);
        var spec = Settings with { Data = FileList.Join([first, second]), Epochs = 1, LearningRate = 1e-3 };
        var apart = await cluster.RunAsync("apart", spec, Tiny);
        var joined = await cluster.RunAsync("joined", spec with { Data = both }, Tiny);
        var turned = await cluster.RunAsync("turned", spec with { Data = FileList.Join([second, first]) }, Tiny);
        Assert.Equal(apart.WeightsSha256, joined.WeightsSha256);
        Assert.NotEqual(apart.WeightsSha256, turned.WeightsSha256);

        await File.AppendAllTextAsync(second, ">one more\nATGGCC\n", TestContext.Current.CancellationToken);
        var run = await cluster.StartRunAsync("apart", spec with { Epochs = 2 }, Tiny, resume: true);
        var refused = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the refusal");
        Assert.Equal(RunState.Failed, refused.State);
        Assert.Contains($"{first} and one more file has changed", refused.Failure!.Message);
    }

    private static Task<string> TextAsync(string path) => File.ReadAllTextAsync(path, TestContext.Current.CancellationToken);
}
