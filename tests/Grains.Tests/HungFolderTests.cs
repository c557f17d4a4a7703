using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The file system of a run's output folder does not answer.</summary>
public sealed class HungFolderTests
{
    [Fact]
    public async Task A_run_whose_output_folder_does_not_answer_says_so_and_can_be_cancelled()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var hold = new HeldPhase("write", step: 3);
        var run = await cluster.StartRunAsync("run", new RunSpec { Data = cluster.Fasta(40, 24), AccumulationSteps = 2, Epochs = 20, MaxSteps = 6 }, ModelPresets.Find("tiny")!);
        await hold.ReachedAsync();
        var waiting = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.State == RunState.Waiting || status.IsOver || !hold.IsHeld, "the run to wait");
        Assert.Matches("^waiting for the output folder .*, which has not answered for [0-9]+ s$", waiting.Events.Last(happened => happened.Kind == RunEventKind.Note).Text);
        await run.CancelAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || !hold.IsHeld, "the run to stop, while its folder does not answer");
        Assert.Equal(RunState.Cancelled, end.State);
    }
}
