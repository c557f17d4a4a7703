using System.Text;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Testing;
using Orleans.Runtime;

namespace GenSlmOrleans.Client.Tests;

/// <summary>The commands that speak to a cluster, over its gateway.</summary>
public sealed class RemoteRunTests : IClassFixture<ClusterOfFakes>, IDisposable
{
    private readonly ClusterOfFakes _cluster;

    public RemoteRunTests(ClusterOfFakes cluster)
    {
        _cluster = cluster;
        FakeRun.Clear();
    }

    public void Dispose() => FakeRun.Clear();

    [Fact]
    public async Task Runs_are_listed_as_table_as_json_and_by_name_and_one_that_waits_says_why()
    {
        FakeRun.Add("flu", RunState.Running);
        FakeRun.Add("sars", RunState.Waiting, "prepared", "waits for 2 more devices");
        var (exitCode, output, _) = await RunAsync("runs");
        Assert.Equal(0, exitCode);
        Assert.Equal("""
            NAME   STATE     STEP   EPOCH   LOSS     BEST   DEVICES   AGE   REMARK
            flu    running   3/10   1/7     4.2500   -      0         0s
            sars   waiting   3/10   1/7     4.2500   -      0         0s    waits for 2 more devices

            """.ReplaceLineEndings("\n"), output);
        Assert.Contains("out/sars", (await RunAsync("runs", "-o", "wide")).Output);
        Assert.Equal("flu\nsars\n", (await RunAsync("runs", "-o", "name")).Output);
        using var json = JsonDocument.Parse((await RunAsync("runs", "--output", "json")).Output);
        Assert.Equal(("sars", "waiting", "waits for 2 more devices"), (Text(json.RootElement[1], "name"), Text(json.RootElement[1], "state"), Text(json.RootElement[1], "remark")));
        await AssertRefusedAsync("output is 'yaml'; expected one of table, wide, json, name.", "runs", "-o", "yaml");
    }

    [Fact]
    public async Task A_description_has_settings_and_checkpoints_and_ends_in_events_with_their_age()
    {
        var run = FakeRun.Add("flu", RunState.Running, "prepared", "silo-2 is lost");
        run.Status = run.Status with { BestCheckpoint = "out/flu/checkpoints/a", LastCheckpoint = "out/flu/checkpoints/b", Devices = [new DeviceShare("silo-1", "cpu", 4, 8)], Driver = "silo-0", Generation = 2, Partitions = [new PartitionPlace(0, 0, 4, ["silo-1", "silo-2"])] };
        var (_, output, _) = await RunAsync("describe", "flu");
        Assert.Contains("\nStep:         3 of 10, epoch 1 of 7\n", output);
        Assert.Contains("\nDriver:       silo-0, generation 2\nDevices:      silo-1 cpu  shards 4-7\nPartitions:   0  blocks 0-3  silo-1, standby silo-2\nCheckpoints:  best  out/flu/checkpoints/a\n              last  out/flu/checkpoints/b\n", output);
        Assert.Contains("\n  epochs: 7\n", output);
        Assert.EndsWith("\nEvents:\n  AGE   STEP   EVENT\n  5m    3      prepared\n  5m    3      silo-2 is lost\n", output);
        using var json = JsonDocument.Parse((await RunAsync("describe", "flu", "-o", "json")).Output);
        Assert.Equal((7, "running", 8), (json.RootElement.GetProperty("spec").GetProperty("epochs").GetInt32(), Text(json.RootElement, "state"), json.RootElement.GetProperty("devices")[0].GetProperty("endShard").GetInt32()));
        Assert.Equal(["prepared", "silo-2 is lost"], json.RootElement.GetProperty("events").EnumerateArray().Select(happened => Text(happened, "text")));
    }

    [Fact]
    public async Task A_run_that_is_not_known_is_answered_with_the_nearest()
    {
        foreach (var command in (string[])["describe", "watch", "pause", "resume", "cancel", "export"])
            await AssertRefusedAsync("The cluster knows no run 'flue', nor any other; 'genslm submit run.yaml' submits one.", command, "flue");
        FakeRun.Add("sars", RunState.Running);
        FakeRun.Add("flu", RunState.Running);
        await AssertRefusedAsync("The cluster knows no run 'flue'; did you mean flu? 'genslm runs' lists them all.", "wait", "flue", "--for", "completed");
    }

    [Fact]
    public async Task A_watch_shows_the_last_events_and_follows_the_run_to_its_end()
    {
        var run = FakeRun.Add("flu", RunState.Running, [.. Enumerable.Range(1, 20).Select(i => $"note {i}")]);
        run.After = status => status with
        {
            Step = status.Step + 1,
            State = status.Step < 5 ? RunState.Running : RunState.Completed,
            Events = status.Step == 4 ? [.. status.Events, new RunEvent(1_000_000_001, RunEventKind.SiloLost, 4, "silo-2 is lost", null, default), new RunEvent(1_000_000_002, RunEventKind.Replanned, 4, "shards 4-7 moved to silo-1", null, default)] : status.Events,
        };
        var (exitCode, output, errors) = await RunAsync("watch", "flu", "--json");
        Assert.Equal(0, exitCode);
        var lines = errors.Split('\n');
        Assert.Equal(["run flu → out/flu", "note 11"], lines[..2]);
        Assert.Equal(["note 20", "silo-2 is lost", "shards 4-7 moved to silo-1"], lines[10..13]);
        using var json = JsonDocument.Parse(output);
        Assert.Equal("completed", Text(json.RootElement, "status"));
    }

    [Fact]
    public async Task A_watch_ends_at_its_step_and_says_how_to_come_back()
    {
        FakeRun.Add("flu", RunState.Running).After = status => status with { Step = status.Step + 1 };
        var (exitCode, _, errors) = await RunAsync("watch", "flu", "--until-step", "6");
        Assert.Equal(0, exitCode);
        Assert.EndsWith($"flu is at step 6 of 10 and goes on; come back with: genslm watch flu --gateway {_cluster.Gateway}\n", errors);
    }

    [Theory]
    [InlineData(RunState.Failed, false, 1)]
    [InlineData(RunState.Failed, true, 2)]
    [InlineData(RunState.Paused, false, 130)]
    [InlineData(RunState.Cancelled, false, 130)]
    public async Task The_end_of_a_run_that_is_watched_is_the_end_of_the_watch(RunState state, bool badInput, int expected)
    {
        var run = FakeRun.Add("flu", state);
        run.Status = run.Status with { Failure = new RunFailure(badInput, "why") };
        Assert.Equal(expected, (await RunAsync("watch", "flu")).ExitCode);
    }

    [Fact]
    public async Task An_answer_that_is_lost_with_a_silo_is_asked_for_again()
    {
        var run = FakeRun.Add("flu", RunState.Completed);
        run.Failures.Enqueue(new SiloUnavailableException("silo-2 is gone"));
        run.Failures.Enqueue(new TimeoutException("no answer"));
        run.Failures.Enqueue(new SupersededException("another activation"));
        Assert.Equal(0, (await RunAsync("watch", "flu")).ExitCode);
        Assert.Empty(run.Failures);
    }

    [Fact]
    public async Task A_cluster_that_does_not_answer_is_a_sentence_and_exit_code_3()
    {
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("runs", "--gateway", "127.0.0.1:9");
        Assert.Equal((3, "", "No cluster answers at 127.0.0.1:9.\n"), (exitCode, output, errors));
    }

    [Theory]
    [InlineData("completed", RunState.Completed, 0)]
    [InlineData("step=3", RunState.Running, 0)]
    [InlineData("paused", RunState.Running, 4)]
    [InlineData("step=4", RunState.Failed, 1)]
    [InlineData("completed", RunState.Paused, 4)]
    public async Task Waiting_ends_when_the_run_is_there_or_never_will_be_or_the_time_is_up(string condition, RunState state, int expected)
    {
        FakeRun.Add("flu", state);
        Assert.Equal(expected, (await RunAsync("wait", "flu", "--for", condition, "--timeout", "0.3s")).ExitCode);
    }

    [Fact]
    public async Task The_time_to_wait_holds_also_while_the_run_does_not_answer()
    {
        FakeRun.Add("flu", RunState.Running).FallSilent();
        var (exitCode, _, errors) = await RunAsync("wait", "flu", "--for", "completed", "--timeout", "0.3s");
        Assert.Equal((4, "the cluster has not answered for flu; the time to wait for 'completed' is up\n"), (exitCode, errors));
    }

    [Fact]
    public async Task Waiting_for_what_there_is_not_is_refused()
    {
        await AssertRefusedAsync("for is 'complete'; expected one of completed, paused, running, waiting, cancelled, failed, step=N. Did you mean completed?", "wait", "flu", "--for", "complete");
        await AssertRefusedAsync("timeout is '10x'; expected a duration such as 90s, 10m or 1h30m", "wait", "flu", "--for", "paused", "--timeout", "10x");
        await AssertRefusedAsync("for step is 'x'; expected a whole number.", "wait", "flu", "--for", "step=x");
    }

    [Fact]
    public async Task A_run_is_paused_resumed_and_cancelled_and_one_that_is_over_is_not()
    {
        var run = FakeRun.Add("flu", RunState.Running);
        Assert.Contains("'genslm wait flu --for paused' waits for that", (await RunAsync("pause", "flu")).Errors);
        Assert.Contains("flu is paused already, after step 3 of 10", (await RunAsync("pause", "flu")).Errors);
        Assert.Contains("flu goes on; watch it with: genslm watch flu", (await RunAsync("resume", "flu", "--no-wait")).Errors);
        await AssertRefusedAsync("The run flu is completed; there is nothing to pause.", "pause", "flu");
        await AssertRefusedAsync("The run flu is completed; there is nothing to cancel.", "cancel", "flu", "--yes");
        await AssertRefusedAsync("--silos is for an output folder", "resume", "flu", "--silos", "2");
        run.Becomes(RunState.Waiting);
        Assert.Equal(0, (await RunAsync("cancel", "flu", "--yes")).ExitCode);
        Assert.Equal(["pause", "resume", "cancel"], run.Told);
        Assert.Contains("cancelled already", (await RunAsync("cancel", "flu")).Errors);
        await AssertRefusedAsync("The run flu was cancelled, for good;", "resume", "flu");
    }

    [Fact]
    public async Task A_run_is_resumed_on_another_kind_of_device_only_when_that_is_said()
    {
        var run = FakeRun.Add("flu", RunState.Paused);
        Assert.Equal(0, (await RunAsync("resume", "flu", "--detach")).ExitCode);
        run.Becomes(RunState.Paused);
        Assert.Equal(0, (await RunAsync("resume", "flu", "--accept-other-device", "--detach")).ExitCode);
        Assert.Equal(["resume", "resume on other devices"], run.Told);
        Assert.Contains("--accept-other-device", (await CapturedConsole.RunAsync("resume", "--help")).Output);
    }

    [Theory]
    [InlineData("y", true)]
    [InlineData(" YES", true)]
    [InlineData("", false)]
    [InlineData("no", false)]
    public void What_cannot_be_undone_is_asked_for_on_a_terminal(string answer, bool expected)
    {
        using var question = new StringWriter();
        Assert.Equal(expected, Confirmation.Ask("End it?", isTerminal: true, new StringReader(answer), question));
        Assert.Equal("End it? [y/N] ", question.ToString());
        Assert.Contains("--yes says so", Assert.Throws<UsageException>(() => Confirmation.Ask("End it?", isTerminal: false, TextReader.Null, question)).Message);
    }

    [Fact]
    public async Task An_export_prints_the_path_and_the_clusters_refusals_are_sentences()
    {
        var run = FakeRun.Add("flu", RunState.Running);
        await AssertRefusedAsync("The run flu has no checkpoint yet.", "export", "flu");
        run.Status = run.Status with { BestCheckpoint = "a" };
        Assert.Equal((0, "out/flu/best_model_state_dict.pth\n", ""), await RunAsync("export", "flu"));
        using var json = JsonDocument.Parse((await RunAsync("export", "flu", "-o", "json")).Output);
        Assert.Equal("abc", Text(json.RootElement, "weightsSha256"));
    }

    [Fact]
    public async Task A_submitted_run_gets_a_name_of_its_own_unless_one_was_asked_for()
    {
        using var folder = new TemporaryFolder();
        var config = folder.File("run.yaml", "epochs: 4\nsilos: 3\n"u8);
        var data = folder.File("flu.fasta", Encoding.ASCII.GetBytes(">a\nATGGCC\n>b\nATGGCT\n>c\nATGGCA\n"));
        FakeRun.Add("flu", RunState.Running);
        FakeRun.Add("flu-2", RunState.Completed);

        var (exitCode, output, errors) = await RunAsync("submit", config, data, "--output", folder.File("a/flu"), "--batch-size", "1", "--detach");
        Assert.Equal((0, "flu-3\n"), (exitCode, output));
        Assert.Contains($"watch it with: genslm watch flu-3 --gateway {_cluster.Gateway}", errors);
        var spec = FakeRun.Find("flu-3")!.Submission.Spec;
        Assert.Equal((4, 1, data, folder.File("a/flu")), (spec.Epochs, spec.BatchSize, spec.Data, spec.Output));

        await AssertRefusedAsync("The cluster has a run 'flu' already; choose another --name", "submit", data, "--name", "flu", "--output", folder.File("b"));
        await AssertRefusedAsync("name is 'a b'; expected at most 100 letters", "submit", data, "--name", "a b");
        FakeRun.Find("flu-3")!.Becomes(RunState.Running);
        await AssertRefusedAsync($"The run flu-3 writes to {folder.File("a/flu")} already", "submit", data, "--output", folder.File("a/flu"));
        var watched = await RunAsync("submit", data, "--name", "sars", "--output", folder.File("c"), "--json");
        Assert.Equal(0, watched.ExitCode);
        Assert.Contains("prepared\n", watched.Errors);
        using var json = JsonDocument.Parse(watched.Output);
        Assert.Equal("sars", Text(json.RootElement, "runId"));
    }

    [Fact]
    public async Task Sequences_that_only_the_silos_see_are_left_for_them_to_check()
    {
        using var folder = new TemporaryFolder();
        var elsewhere = folder.File("nowhere/flu.fasta");
        Assert.Equal((0, "out\n"), (await RunAsync("submit", elsewhere, "--output", folder.File("out"), "--detach")) is var submitted ? (submitted.ExitCode, submitted.Output) : default);
        await AssertRefusedAsync("is not on this machine, so the run needs an output folder that its silos see", "submit", elsewhere, "--detach");
        await AssertRefusedAsync("nowhere.fasta does not exist; expected a FASTA or HDF5 file.", "submit", "nowhere.fasta", "--output", folder.File("other"));
        await AssertRefusedAsync("are both run files; expected one", "submit", "a.yaml", "b.yml");
        await AssertRefusedAsync("Unknown option --silos; did you mean --", "submit", "a.fasta", "--silos", "2");
    }

    private Task<(int ExitCode, string Output, string Errors)> RunAsync(params string[] arguments) => CapturedConsole.RunAsync([.. arguments, "--gateway", _cluster.Gateway]);

    private async Task AssertRefusedAsync(string expected, params string[] arguments)
    {
        var (exitCode, output, errors) = await RunAsync(arguments);
        Assert.Contains(expected, errors);
        Assert.Equal((2, ""), (exitCode, output));
        Assert.Single(errors.TrimEnd('\n').Split('\n'));
    }

    private static string? Text(JsonElement json, string property) => json.GetProperty(property).GetString();
}
