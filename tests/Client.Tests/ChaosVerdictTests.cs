using System.Collections.Immutable;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Chaos;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

public sealed class ChaosVerdictTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    [Theory]
    [InlineData("1,2,3", true)]
    [InlineData("1,2,2,3", false)]
    [InlineData("1,3", false)]
    [InlineData("1,2", false)]
    [InlineData("2,1,3", false)]
    public void Metrics_have_every_step_once_in_order(string steps, bool expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllLines(folder.File("metrics.jsonl"), steps.Split(',').Select(step => new MetricLine { Step = long.Parse(step) }.ToJson()));
        Assert.Equal(expected, !Verdict.Metrics(folder.File(""), 3).Any());
    }

    [Fact]
    public void A_recovery_is_read_from_the_events_after_the_strike()
    {
        var strike = new Strike(Fault.Kill(silo: 1), ["silo-1"], Noon, 4, HitDriver: false, Aimed: true);
        RunEvent At(double seconds, RunEventKind kind, string text = "") => new(1, kind, 3, text, null, Noon.AddSeconds(seconds));
        RunEvent[] events =
        [
            At(-1, RunEventKind.Step), At(0.1, RunEventKind.Step), At(0.4, RunEventKind.SiloLost, "silo-2 is lost"),
            At(0.5, RunEventKind.SiloLost, "silo-1 is lost"), At(0.7, RunEventKind.Replanned, "shards 0-1 moved"), At(1.5, RunEventKind.Step),
        ];
        Assert.Equal(new Recovery(0.5, 0.7, 1.5), Recovery.Of(strike, events));
        Assert.Equal(new Recovery(0.5, null, null), Recovery.Of(strike, events.Take(4)));
        Assert.Equal(new Recovery(null, null, 0.1), Recovery.Of(strike, events.Take(2)));
    }

    [Fact]
    public async Task What_happened_and_what_struck_is_written_by_time_a_line_each()
    {
        using var folder = new TemporaryFolder();
        var strike = new Strike(Fault.Kill(silo: 1), ["silo-1"], Noon, 4, HitDriver: false, Aimed: true);
        RunEvent[] events = [new(1, RunEventKind.Step, 3, "", new MetricLine { Step = 3, Seconds = 1.25 }, Noon.AddSeconds(-1)), new(2, RunEventKind.SiloLost, 3, "silo-1 is lost", null, Noon.AddSeconds(0.5))];
        await EventList.WriteAsync(folder.File("events.txt"), events, [strike]);
        Assert.Equal(["11:59:59.000 Step 3: 1.250 s", $"12:00:00.000 *** {strike}", "12:00:00.500 SiloLost 3: silo-1 is lost"], await File.ReadAllLinesAsync(folder.File("events.txt"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void A_silo_that_is_lost_without_being_struck_is_objected_to()
    {
        var strike = new Strike(Fault.Kill(silo: 1), ["silo-1"], Noon, 4, HitDriver: false, Aimed: true);
        RunEvent Lost(string silo) => new(1, RunEventKind.SiloLost, 3, $"{silo} is lost", null, Noon);
        Assert.Empty(Verdict.Starved([Lost("silo-1")], [strike]));
        Assert.Equal(["after step 3 silo-2 is lost, and nothing had struck it"], Verdict.Starved([Lost("silo-1"), Lost("silo-2")], [strike]));
    }

    [Fact]
    public void A_run_has_gone_on_without_a_silo_when_it_took_a_step_after_it_knew()
    {
        RunEvent At(double seconds, RunEventKind kind, string text = "") => new(1, kind, 3, text, null, Noon.AddSeconds(seconds));
        // The step at 2 was already finishing; what was told of the silo of that name before it started is of another.
        RunEvent[] events = [At(-3, RunEventKind.SiloLost, "silo-1 is lost"), At(-2, RunEventKind.Step), At(2, RunEventKind.Step), At(2.1, RunEventKind.SiloLost, "silo-1 is lost"), At(4, RunEventKind.Step)];
        Assert.Equal([false, false, false, false, true], Enumerable.Range(1, 5).Select(count => Recovery.HasGoneOnWithout("silo-1", Noon, events.Take(count))));
        Assert.False(Recovery.HasGoneOnWithout("silo-2", Noon, events));
    }

    [Fact]
    public void A_kind_of_fault_is_reported_with_what_it_took_beyond_the_step_that_it_struck()
    {
        var strike = new Strike(Fault.Kill(silo: 1), ["silo-1"], Noon, 4, HitDriver: false, Aimed: true);
        var report = KindReport.Of(FaultKind.Kill, Replacement.AtOnce, [(strike, new Recovery(1, 1, 3), 2), (strike, new Recovery(1, 1, 9), 4), (strike, new Recovery(null, null, null), null)]);
        Assert.Equal((3, new Spread(2, 6, 9), new Spread(2, 3, 5)), (report.Strikes, report.Applied, report.BeyondStep));
    }

    [Fact]
    public void What_a_step_takes_undisturbed_leaves_out_the_steps_around_a_strike()
    {
        RunEvent Step(double seconds) => new(1, RunEventKind.Step, 3, "", null, Noon.AddSeconds(seconds));
        RunEvent[] events = [Step(-4), Step(-3), Step(-2), Step(-1), Step(7), Step(8.5), Step(9.5)];
        var strike = new Strike(Fault.Kill(silo: 1), ["silo-1"], Noon, 4, HitDriver: false, Aimed: true);
        Assert.Equal(1, Recovery.UndisturbedStep([strike], events));
        Assert.Null(Recovery.UndisturbedStep([strike], events.Skip(3).Take(2)));
    }

    [Theory]
    [InlineData(RunState.Completed, "", false, "the run did not stop")]
    [InlineData(RunState.Failed, "Step 3: shard 2 of silo-1/cpu is not the same twice", true, "an exported file")]
    [InlineData(RunState.Failed, "Step 3: shard 2 is not the same twice", false, "names neither or one")]
    [InlineData(RunState.Failed, "The copies differ on silo-1", false, "names neither or one")]
    [InlineData(RunState.Failed, "Step 3: shard 2 of silo-1/cpu is not the same twice", false, null)]
    public void A_flipped_bit_has_to_stop_the_run_before_it_exports_and_to_be_told_with_shard_and_silo(RunState state, string sentence, bool exported, string? expected)
    {
        var objection = FlippedBit.Objection(new RunStatus { State = state, Failure = new RunFailure(BadInput: false, sentence) }, "silo-1", exported);
        if (expected is null) Assert.Null(objection);
        else Assert.Contains(expected, objection);
    }

    [Fact]
    public void A_run_that_ends_after_another_step_than_the_undisturbed_one_is_objected_to()
    {
        using var folder = new TemporaryFolder();
        var status = new RunStatus { State = RunState.Completed, Step = 9, TotalSteps = 20, WeightsSha256 = "a" };
        Assert.Contains("it ended after step 9; undisturbed it ends after step 8", Verdict.Of(status, [], folder.File(""), new Expectation("a", 8), []));
    }

    [Fact]
    public void Faults_last_as_long_as_steps_do_and_hang_longer_than_a_device_may_be_without_progress()
    {
        var tiny = FaultPace.Of(Undisturbed(1000), TimeSpan.FromSeconds(2));
        Assert.Equal((30, 6, 75, 10), (tiny.Phase.TotalSeconds, tiny.Slow.TotalSeconds, tiny.Hang.TotalSeconds, tiny.LastStep));
        var large = FaultPace.Of(Undisturbed(20) with { Status = new RunStatus { Step = 10, Seconds = 200 } }, TimeSpan.FromSeconds(2));
        Assert.Equal((600, 120, 750), (large.Phase.TotalSeconds, large.Slow.TotalSeconds, large.Hang.TotalSeconds));
    }

    [Fact]
    public void The_shares_of_device_time_add_up_to_all_of_it()
    {
        Recovery[] recoveries = [new(0.5, 0.7, 2), new(null, null, null)];
        var goodput = Goodput.Of(3, seconds: 100, new DeviceTime.Spent(160, 150, 1200), absentSeconds: 20, Undisturbed(1000), recoveries);
        Assert.Equal((300, 0.4167, 0.0833, 0.0667), (goodput.DeviceSeconds, Math.Round(goodput.Useful, 4), Math.Round(goodput.Repeated, 4), Math.Round(goodput.Lost, 4)));
        Assert.Equal(1, goodput.Useful + goodput.Repeated + goodput.Lost + goodput.Stalled + goodput.Other, 9);
        Assert.Equal(goodput, Goodput.Sum([goodput]));
    }

    [Fact]
    public void What_devices_did_is_read_from_their_metrics() => Assert.Equal(
        new DeviceTime.Spent(3.5, 2.5, 40),
        DeviceTime.Read("""
            # TYPE genslm_device_seconds_total counter
            genslm_device_seconds_total{device="cpu",phase="compute",run="a",silo="s"} 2.5 1700000000000
            genslm_device_seconds_total{device="cpu",phase="push",run="a",silo="s"} 1 1700000000000
            genslm_micro_batches_total{device="cpu",run="a",silo="s"} 40 1700000000000
            genslm_run_step{run="a",silo="s"} 7 1700000000000
            """));

    [Fact]
    public void A_checkpoint_that_is_not_whole_is_noticed_and_one_that_is_being_written_is_not()
    {
        using var folder = new TemporaryFolder();
        var watcher = new CheckpointWatcher(folder.File(""));
        WriteCheckpoint(folder.File("checkpoints/.being-written"), part: "x", says: 9);
        WriteCheckpoint(folder.File("checkpoints/whole"), part: "four", says: 4);
        watcher.Look();
        Assert.Empty(watcher.Objections);

        WriteCheckpoint(folder.File("checkpoints/half"), part: "tw", says: 4);
        watcher.Look();
        Assert.Contains("half is not whole: part has 2 of 4 bytes", Assert.Single(watcher.Objections));
        Assert.Contains("whole/part has hash", string.Concat(watcher.Final()));

        Directory.Delete(folder.File("checkpoints"), recursive: true);
        watcher.Look();
        Assert.Contains("there was a moment without a whole checkpoint", watcher.Objections);
    }

    private static void WriteCheckpoint(string path, string part, long says)
    {
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "part"), part);
        using var manifest = File.Create(Path.Combine(path, CheckpointManifest.FileName));
        new CheckpointManifest { Parts = [new CheckpointPart("part", "parameters", 0, 1, says, "0000000000000000")], Progress = JsonSerializer.SerializeToElement(0) }.Write(manifest);
    }

    private static ChaosOutcome Undisturbed(double microBatches) => new(
        0, new RunSpec(), [], ImmutableArray<(Strike, Recovery)>.Empty, new RunStatus { Step = 10, TotalSteps = 10, Seconds = 10 }, [], "", 12, microBatches, new Goodput(0, 0, 0, 0, 0, 0));
}
