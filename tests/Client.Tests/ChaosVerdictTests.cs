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
        0, [], ImmutableArray<(Strike, Recovery)>.Empty, new RunStatus { TotalSteps = 10, Seconds = 10 }, [], "", 12, microBatches, new Goodput(0, 0, 0, 0, 0, 0));
}
