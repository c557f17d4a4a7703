using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A validation in which something goes wrong on one silo: another evaluates its batches, and nothing else comes of it.</summary>
public sealed class EvaluationFailureTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task What_one_silo_fails_to_evaluate_another_does_and_no_step_is_done_again()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        using var fault = new HeldPhase("validate", step: 2, "fail 0");
        var end = await cluster.RunAsync("run", Spec(cluster), Tiny);
        await fault.ReachedAsync();
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, 0L, expected.ValidationLoss), (end.WeightsSha256, end.LedgerHead, end.ReplayedSteps, end.ValidationLoss));
        Assert.Contains(end.Events, happened => happened.Kind == RunEventKind.Warning && happened.Text.Contains("did not evaluate its batches; they go to another: ", StringComparison.Ordinal));
        Assert.DoesNotContain(end.Events, happened => happened.Text.StartsWith("back to ", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_fails_on_every_silo_ends_the_run()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        using var fault = new HeldPhase("validate", step: 2, "poison 0");
        var end = await cluster.RunAsync("run", Spec(cluster), Tiny);
        Assert.Equal(RunState.Failed, end.State);
        Assert.Contains("A fault was asked for at validate.", end.Failure!.Message);
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = 2,
        AccumulationSteps = 2,
        LearningRate = 3e-3,
        Epochs = 20,
        MaxSteps = 6,
        ValFraction = 0.3,
        ValEvery = "2",
    };
}
