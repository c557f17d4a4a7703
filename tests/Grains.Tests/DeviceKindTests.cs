using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Checkpoints;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Grains.Tests;

public sealed class DeviceKindTests
{
    private const string Wide = "cpu GenuineIntel 6/143, AVX512, AMX-BF16, libtorch 2.10.0";
    private const string Narrow = "cpu AuthenticAMD 25/1, AVX2, libtorch 2.10.0";

    [Fact]
    public void A_run_begins_on_the_kind_there_is_most_of()
    {
        Assert.Equal(Wide, DeviceKinds.Choose([Offer("a", Narrow), Offer("b", Wide), Offer("c", Wide)]));
        Assert.Equal(Narrow, DeviceKinds.Choose([Offer("a", Wide), Offer("b", Narrow)]));
        Assert.Equal(Narrow, DeviceKinds.Choose([Offer("b", Narrow), Offer("a", Wide)]));
        Assert.Equal("", DeviceKinds.Choose([]));
    }

    [Fact]
    public void Devices_of_another_kind_are_told_apart_and_a_silo_that_says_nothing_is_believed()
    {
        var mixed = Offer("a", Wide, Narrow, Wide);
        Assert.Equal(["d0", "d2"], DeviceKinds.Alike(mixed, Wide));
        Assert.Equal([("d1", Narrow)], DeviceKinds.Others(mixed, Wide));
        Assert.Equal(["d0", "d1", "d2"], DeviceKinds.Alike(mixed, ""));
        var earlier = new SiloOffer("old", ["cpu"], false);
        Assert.Equal(["cpu"], DeviceKinds.Alike(earlier, Wide));
        Assert.Empty(DeviceKinds.Others(earlier, Wide));
    }

    [Fact]
    public void A_run_that_waits_names_the_kind_it_waits_for_and_those_that_are_there()
    {
        Assert.Equal(
            $"0 of the 1 that it needs are alive. It computes on {Wide}; of the devices here 3 are {Narrow}, whose bits differ: 'genslm resume RUN --accept-other-device' goes on with them",
            DeviceKinds.Lack([Offer("a", Narrow, Narrow), Offer("b", Narrow)], Wide, needed: 1));
        Assert.Equal(
            $"1 of the 2 that it needs are alive. It computes on {Wide}; of the devices here 1 is {Narrow}, whose bits differ: 'genslm resume RUN --accept-other-device' goes on with them",
            DeviceKinds.Lack([Offer("a", Wide, Narrow)], Wide, needed: 2));
        Assert.Equal("1 of the 2 that it needs are alive", DeviceKinds.Lack([Offer("a", Wide)], Wide, needed: 2));
        Assert.Equal("0 of the 2 that it needs are alive", DeviceKinds.Lack([], Wide, needed: 2));
    }

    [Fact]
    public async Task A_run_whose_kind_of_device_is_gone_waits_for_it_and_goes_on_with_another_when_told()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var spec = new RunSpec { Data = cluster.Fasta(24, 30), BatchSize = 1, AccumulationSteps = 1, Shards = 2, ValFraction = 0, Epochs = 50 };
        var run = await cluster.StartRunAsync("run", spec, ModelPresets.Find("tiny")!);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step > 0 || status.IsOver, "a step");
        await run.PauseAsync();
        var paused = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the pause");
        // As if it had begun elsewhere: who wakes it on the other silo reads so.
        var kind = DeviceFingerprint.Of("cpu");
        var (stored, file) = (cluster.Store.Find("run", "run")!, Path.Combine(cluster.Output("run"), "run.json"));
        Assert.Contains(kind, stored);
        cluster.Store.Put("run", "run", stored.Replace(kind, Wide + " of another age"));
        Assert.Contains(kind, File.ReadAllText(file));
        File.WriteAllText(file, File.ReadAllText(file).Replace(kind, Wide + " of another age"));
        await cluster.KillAsync(paused.Driver);

        await TestCluster.PatientlyAsync(() => run.ResumeAsync().ContinueWith(resumed => resumed.IsCompletedSuccessfully ? true : throw resumed.Exception!.InnerException!, TaskScheduler.Default));
        var waiting = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.State == RunState.Waiting || status.IsOver, "the run to wait");
        Assert.True(waiting.State == RunState.Waiting, $"{waiting.State}: {waiting.Failure?.Message}");
        Assert.Contains(waiting.Events, happened => happened.Text.StartsWith($"waiting for devices: 0 of the 1 that it needs are alive. It computes on {Wide} of another age; of the devices here ", StringComparison.Ordinal));
        await run.ResumeAsync();
        Assert.Equal(RunState.Waiting, (await run.GetStatusAsync(long.MaxValue)).State);
        await run.ResumeOnOtherDevicesAsync();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the run's end");
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
    }

    [Fact]
    public void A_run_goes_on_only_where_its_bits_stay_the_same_unless_asked_otherwise()
    {
        var before = new JsonObject { ["resolved"] = new JsonObject { ["deviceFingerprint"] = Wide } };
        Assert.Null(ResumeRule.Objection(before, Submission(Wide)));
        var objection = ResumeRule.Objection(before, Submission(Narrow));
        Assert.Contains($"began on {Wide}; here are {Narrow}, whose bits differ", objection);
        Assert.Null(ResumeRule.Objection(before, Submission(Narrow, accept: true)));
    }

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"resolved":{}}""")]
    [InlineData("""{"resolved":{"deviceFingerprint":""}}""")]
    [InlineData("""{"resolved":{"deviceFingerprint":7}}""")]
    public void A_run_that_knows_no_device_goes_on_anywhere(string before) =>
        Assert.Null(ResumeRule.Objection(JsonNode.Parse(before)!.AsObject(), Submission(Narrow)));

    private static RunSubmission Submission(string kind, bool accept = false) =>
        new(new RunSpec { Data = "x", AcceptOtherDevice = accept }, ModelPresets.Find("tiny")!.ToJson(), Resume: true) { DeviceFingerprint = kind };

    private static SiloOffer Offer(string silo, params string[] kinds) =>
        new(silo, [.. kinds.Select((_, place) => $"d{place}")], false) { Fingerprints = [.. kinds] };
}
