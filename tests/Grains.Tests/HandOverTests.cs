using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Steps may be longer than a silo that leaves has time: what it holds goes to another whatever the step is at, and not where that would change a bit.</summary>
public sealed class HandOverTests
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(30);
    private static readonly HuggingFaceConfig OneBlock = ModelPresets.Find("tiny")!;
    private static readonly HuggingFaceConfig FourBlocks = OneBlock with { HiddenSize = 256, IntermediateSize = 1024, LayerCount = 4 };

    [Fact]
    public async Task A_silo_that_leaves_in_the_middle_of_a_step_hands_its_copies_over_before_the_step_ends()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), FourBlocks);
        using var hold = new HeldPhase("accumulate", step: 4);
        var run = await cluster.StartRunAsync("run", Spec(cluster), FourBlocks);
        await hold.ReachedAsync();
        // The others have done what they could: the step waits for the one that is held.
        var working = await TestCluster.UntilAsync(() => Task.FromResult(Working(cluster)), silos => silos.Count == 1, "all silos but one to have done their part");
        var before = await run.GetStatusAsync(0);
        var leaving = cluster.Silos.First(name => name != working[0] && name != before.Driver);
        Assert.Contains(before.Partitions, place => place.Holders.Contains(leaving));

        await cluster.DrainAsync(leaving).WaitAsync(Grace, TestContext.Current.CancellationToken);
        Assert.True(hold.IsHeld, "the step was over before the silo had handed over");
        var after = await run.GetStatusAsync(0);
        Assert.Equal(before.Step, after.Step);
        Assert.All(after.Partitions, place => Assert.Equal((2, false), (place.Holders.Length, place.Holders.Contains(leaving))));
        await cluster.StopAsync(leaving);

        hold.Release();
        await EndsAsync(run, expected);
    }

    [Fact]
    public async Task A_silo_that_holds_no_parameters_leaves_at_once_whatever_the_step_is_at()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), OneBlock);
        using var hold = new HeldPhase("before-apply", step: 3);
        var run = await cluster.StartRunAsync("run", Spec(cluster), OneBlock);
        await hold.ReachedAsync();
        var before = await run.GetStatusAsync(0);
        var leaving = cluster.Silos.First(name => !before.Partitions.Single().Holders.Contains(name));

        await cluster.DrainAsync(leaving).WaitAsync(Grace, TestContext.Current.CancellationToken);
        Assert.True(hold.IsHeld, "the step was over before the silo was free to go");
        await cluster.StopAsync(leaving);

        hold.Release();
        await EndsAsync(run, expected);
    }

    [Fact]
    public async Task A_copy_lost_between_reduction_and_application_is_made_again_after_it()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), FourBlocks);
        using var hold = new HeldPhase("before-apply", step: 4);
        var run = await cluster.StartRunAsync("run", Spec(cluster), FourBlocks);
        await hold.ReachedAsync();
        var before = await run.GetStatusAsync(0);
        var lost = cluster.Silos.First(name => name != before.Driver);
        await cluster.KillAsync(lost);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Events.Any(happened => happened.Kind == RunEventKind.SiloLost), "the loss to be seen");

        // A new copy would have the version before the step and nothing of its sums. That none is made shows in a hundred looks at it.
        int looks = 0;
        await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), status => Holders(status) != Holders(before) || ++looks > 100, "a hundred looks");
        Assert.True(looks > 100, "a copy was made of parameters that were about to change");
        Assert.True(hold.IsHeld);

        hold.Release();
        var again = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.Partitions.All(place => place.Holders.Length == 2 && !place.Holders.Contains(lost)), "the copies to be made again");
        Assert.False(again.IsOver, "the run ended before its copies were made again");
        await EndsAsync(run, expected);
    }

    [Fact]
    public async Task A_silo_that_comes_in_the_middle_of_a_step_is_given_the_copies_that_are_lacking()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), FourBlocks);
        using var hold = new HeldPhase("accumulate", step: 4);
        var run = await cluster.StartRunAsync("run", Spec(cluster), FourBlocks);
        await hold.ReachedAsync();
        var working = await TestCluster.UntilAsync(() => Task.FromResult(Working(cluster)), silos => silos.Count == 1, "one silo to have done its part");
        await cluster.KillAsync(cluster.Silos.First(name => name != working[0]));
        // Should it have been the driver, another takes over, and finds the step begun.
        var lacking = await TestCluster.UntilAsync(() => TestCluster.PatientlyAsync(() => run.GetStatusAsync(0)), status => status.State == RunState.Running && status.Partitions.All(place => place.Holders.Length == 1), "the loss to be seen");
        var name = await cluster.JoinAsync();
        var given = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => !hold.IsHeld || status.Partitions.All(place => place.Holders.Contains(name)), "the silo that came to hold a copy of all");
        Assert.True(hold.IsHeld, "the silo that came was given nothing before the step had ended");
        Assert.Equal(lacking.Step, given.Step);

        hold.Release();
        await EndsAsync(run, expected);
    }

    [Fact]
    public async Task Steps_go_on_while_a_copy_is_being_filled_which_takes_what_it_misses_of_them()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var spec = Spec(cluster);
        var expected = await cluster.RunAsync("undisturbed", spec, FourBlocks);
        using var begin = new HeldPhase("accumulate", step: 3);
        using var fill = new HeldPhase("fill", step: 0);
        using var end = new HeldPhase("kernel", step: 9);
        var run = await cluster.StartRunAsync("run", spec, FourBlocks);
        await begin.ReachedAsync();
        var name = await cluster.JoinAsync();
        // It has one block as it was before the step, and will not be able to use it.
        await fill.ReachedAsync();
        begin.Release();
        await end.ReachedAsync();
        var during = await run.GetStatusAsync(0);
        Assert.Equal((true, 8L), (fill.IsHeld, during.Step));
        Assert.All(during.Partitions, place => Assert.DoesNotContain(name, place.Holders));

        fill.Release();
        var whole = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => !end.IsHeld || status.Partitions.All(place => place.Holders.Contains(name)), "the copies to be whole");
        Assert.Equal((true, 8L), (end.IsHeld, whole.Step));
        // What it says of a step from now on is compared with what the other says.
        end.Release();
        await EndsAsync(run, expected);
    }

    [Fact]
    public async Task A_silo_that_dies_while_its_copies_are_being_filled_is_passed_by()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), FourBlocks);
        using var begin = new HeldPhase("accumulate", step: 3);
        using var fill = new HeldPhase("fill", step: 0);
        var run = await cluster.StartRunAsync("run", Spec(cluster), FourBlocks);
        await begin.ReachedAsync();
        var name = await cluster.JoinAsync();
        await fill.ReachedAsync();
        await cluster.KillAsync(name);
        begin.Release();
        await EndsAsync(run, expected);
    }

    [Fact]
    public async Task A_silo_that_comes_in_the_middle_of_a_step_takes_part_in_it()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), FourBlocks);
        using var hold = new HeldPhase("kernel", step: 4);
        var run = await cluster.StartRunAsync("run", Spec(cluster), FourBlocks);
        await hold.ReachedAsync();
        var name = await cluster.JoinAsync();
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || cluster.Of<SiteStore>(name).Find("run")?.Device("cpu")?.Replica.MicroBatchesDone > 0, "the silo that came to compute");
        var during = await run.GetStatusAsync(0);
        Assert.Equal((true, 3L), (hold.IsHeld, during.Step));
        // Not because the other hangs: that is known half a minute later.
        Assert.DoesNotContain(during.Events, happened => happened.Kind == RunEventKind.Warning);

        hold.Release();
        await EndsAsync(run, expected);
    }

    [Fact]
    public async Task A_silo_with_the_last_copy_of_what_a_checkpoint_is_written_from_stays_until_it_is_written()
    {
        await using var cluster = await TestCluster.StartAsync(4);
        var spec = Spec(cluster) with { ValEvery = "3", LimitValBatches = 1, MaxSteps = 0 };
        using var hold = new HeldPhase("checkpoint", step: 3);
        var run = await cluster.StartRunAsync("run", spec, FourBlocks);
        await hold.ReachedAsync();
        var before = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= 4, "step 4");
        // The keeper of the output folder is the driver's neighbour; others hold what it has still to write.
        var leaving = before.Partitions.Select(place => place.Holders).First(holders => !holders.Contains(before.Driver));
        await cluster.DrainAsync(leaving[0]).WaitAsync(Grace, TestContext.Current.CancellationToken);
        await cluster.StopAsync(leaving[0]);
        var last = cluster.DrainAsync(leaving[1]);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => last.IsCompleted || status.Partitions.All(place => place.Holders.Length == 2 && !place.Holders.Contains(leaving[1])), "its copies to be others'");
        int looks = 0;
        await TestCluster.UntilAsync(() => run.GetStatusAsync(long.MaxValue), _ => last.IsCompleted || ++looks > 200, "two hundred looks");
        Assert.False(last.IsCompleted, "the silo was let go with what the checkpoint is written from");
        Assert.True(hold.IsHeld, "the checkpoint was written before the silo was to leave");
        hold.Release();
        await last.WaitAsync(Grace, TestContext.Current.CancellationToken);
        await cluster.StopAsync(leaving[1]);

        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.LastCheckpoint.Length > 0 || status.ReplayedSteps > 0, "the checkpoint");
        await run.CancelAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.DoesNotContain(end.Events, happened => happened.Text.Contains(" are lost: ") || happened.Text.StartsWith("back to ", StringComparison.Ordinal));
        Assert.Equal((RunState.Cancelled, 0L), (end.State, end.ReplayedSteps));
        Assert.NotEqual("", end.LastCheckpoint);
    }

    [Fact]
    public async Task When_all_silos_leave_they_are_free_to_go_once_the_run_is_in_its_checkpoint()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), FourBlocks);
        using var hold = new HeldPhase("accumulate", step: 4);
        var run = await cluster.StartRunAsync("run", Spec(cluster), FourBlocks);
        await hold.ReachedAsync();
        var leaving = Task.WhenAll(cluster.Silos.Select(cluster.DrainAsync));
        hold.Release();
        await leaving.WaitAsync(Grace, TestContext.Current.CancellationToken);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver || status.State == RunState.Waiting, "the run to wait");

        await cluster.JoinAsync();
        await EndsAsync(run, expected);
    }

    private static string Holders(RunStatus status) => string.Join("; ", status.Partitions.Select(place => string.Join(", ", place.Holders)));

    private static List<string> Working(TestCluster cluster) =>
        [.. cluster.Silos.Where(name => cluster.Of<SiteStore>(name).Find("run")?.Window is { IsOver: false })];

    private static async Task EndsAsync(ITrainingRunGrain run, RunStatus expected)
    {
        var end = await TestCluster.UntilAsync(() => TestCluster.PatientlyAsync(() => run.GetStatusAsync(0)), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead), (end.WeightsSha256, end.LedgerHead));
        Assert.Equal((0L, 0L), (end.RepeatedMicroBatches, end.ReplayedSteps));
        Assert.True(end.RecordsSeenExactlyOnce);
    }

    // 12 steps of five shards.
    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(50, 30),
        Shards = 5,
        AccumulationSteps = 2,
        LearningRate = 1e-3,
        Epochs = 20,
        MaxSteps = 12,
        GradientClip = 0.5,
    };
}
