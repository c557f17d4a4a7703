using System.Diagnostics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A checkpoint is written, or exported, while the run trains on.</summary>
public sealed class CheckpointBesideTrainingTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task A_slow_checkpoint_holds_up_no_step_and_changes_no_bit()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var spec = Spec(cluster);
        var expected = await cluster.RunAsync("undisturbed", spec, Tiny);
        using var hold = new HeldPhase("checkpoint", step: 3);
        var run = await cluster.StartRunAsync("slow", spec, Tiny);
        await hold.ReachedAsync();
        var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= 5 || !hold.IsHeld, "step 5");
        Assert.True(hold.IsHeld, "the steps waited for the checkpoint");
        Assert.Equal("", status.LastCheckpoint);
        Assert.Empty(Written(cluster, "slow"));
        hold.Release();
        var found = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        AssertSame(expected, found, cluster, "slow");
    }

    [Fact]
    public async Task The_silo_that_writes_a_checkpoint_of_an_earlier_step_dies_and_another_writes_it()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var spec = Spec(cluster);
        var expected = await cluster.RunAsync("undisturbed", spec, Tiny);
        using var hold = new HeldPhase("checkpoint", step: 3);
        var run = await cluster.StartRunAsync("killed", spec, Tiny);
        await hold.ReachedAsync();
        var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= 5 || !hold.IsHeld, "step 5");
        Assert.True(hold.IsHeld, "the steps waited for the checkpoint");
        // The checkpoint grain is placed beside its driver: both die, and what is held wakes up as a writer nobody waits for.
        await cluster.KillAsync(status.Driver);
        hold.Release();
        var found = await TestCluster.UntilAsync(() => TestCluster.PatientlyAsync(() => run.GetStatusAsync(0)), status => status.IsOver, "the end");
        Assert.Equal(0, found.ReplayedSteps);
        AssertSame(expected, found, cluster, "killed");
    }

    [Fact]
    public async Task Cancel_writes_no_checkpoint_and_leaves_the_one_that_is_being_written()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var hold = new HeldPhase("checkpoint", step: 3);
        var run = await cluster.StartRunAsync("cancelled", Spec(cluster) with { Epochs = 1000, MaxSteps = 0 }, Tiny);
        await hold.ReachedAsync();
        await run.CancelAsync();
        var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= 6 || status.State != RunState.Running, "the run to stop training");
        hold.Release();
        status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.Equal(RunState.Cancelled, status.State);
        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(cluster.Output("cancelled"), "checkpoints")));
    }

    [Fact]
    public async Task An_export_holds_up_no_step()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "A pipe with a name takes the place of a slow disk.");
        await using var cluster = await TestCluster.StartAsync(1);
        // At this rate no loss is lower than the first, which stays the best checkpoint's.
        var run = await cluster.StartRunAsync("exported", Spec(cluster) with { Epochs = 100_000, MaxSteps = 0, KeepBest = 1, LearningRate = 1e-12 }, Tiny);
        var status = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.BestCheckpoint.Length > 0, "a checkpoint");
        // Whoever reads the checkpoint waits until somebody writes into the pipe.
        var part = Directory.GetFiles(status.BestCheckpoint, "part-00000-*").Single();
        File.Delete(part);
        using (var mkfifo = Process.Start("mkfifo", [part])) await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);

        var export = run.ExportAsync();
        long at = (await run.GetStatusAsync(0)).Step;
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= at + 7, "seven steps and two checkpoints");
        Assert.False(export.IsCompleted);
        await using (var pipe = new FileStream(part, FileMode.Open, FileAccess.Write)) await pipe.WriteAsync(new byte[1], TestContext.Current.CancellationToken);
        var refusal = await Assert.ThrowsAsync<RunInputException>(() => export);
        Assert.Contains(part, refusal.Message);
        await run.CancelAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = 2,
        AccumulationSteps = 2,
        LearningRate = 3e-3,
        Epochs = 9,
        MaxSteps = 9,
        ValEvery = "3",
        KeepBest = 9,
    };

    private static void AssertSame(RunStatus expected, RunStatus found, TestCluster cluster, string runId)
    {
        Assert.True(found.State == RunState.Completed, found.Failure?.Message);
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead, expected.BestStep, expected.BestValidationLoss), (found.WeightsSha256, found.LedgerHead, found.BestStep, found.BestValidationLoss));
        Assert.Equal(3, Written(cluster, "undisturbed").Length);
        Assert.Equal(Written(cluster, "undisturbed"), Written(cluster, runId));
    }

    /// <summary>Step, name, weights, ledger and parts of all checkpoints that have their name.</summary>
    private static string[] Written(TestCluster cluster, string runId) =>
    [
        .. Directory.GetDirectories(Path.Combine(cluster.Output(runId), "checkpoints")).Where(path => Path.GetFileName(path)[0] != '.')
            .Select(path => (Name: Path.GetFileName(path), Manifest: CheckpointManifest.Read(path)))
            .Select(found => $"{found.Manifest.Step} {found.Name} {found.Manifest.WeightsSha256} {found.Manifest.LedgerHead} {string.Join(' ', found.Manifest.Parts.Select(part => part.Xxh3))}")
            .Order(StringComparer.Ordinal),
    ];
}
