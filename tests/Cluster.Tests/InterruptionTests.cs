using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>Runs that are stopped, killed and resumed end in the bits of one that was left alone.</summary>
public sealed class InterruptionTests(UndisturbedRun undisturbed) : IClassFixture<UndisturbedRun>
{
    private static readonly string[] Settings =
        [GenSlmConsole.Sample, "--max-steps", "7", "--shards", "3", "--learning-rate", "3e-3", "--accumulation-steps", "3", "--val-every", "3", "--schedule", "cosine", "--warmup-steps", "2", "--threads", "1"];

    [Fact]
    public async Task Any_number_of_silos_gives_the_same_bits()
    {
        using var folder = new TemporaryFolder();
        var one = await undisturbed.TrainAsync(Settings);
        foreach (var silos in (string[])["2", "3", "5"])
            Assert.Equal(Hash(one), Hash(await GenSlmConsole.TrainAsync([.. Settings, "--output", folder.File(silos), "--silos", silos])));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(5)]
    public async Task A_run_interrupted_after_any_step_resumes_to_the_same_bits(int step)
    {
        using var folder = new TemporaryFolder();
        var expected = await undisturbed.TrainAsync(Settings);
        using var console = GenSlmConsole.StartInGroup(["train", .. Settings, "--output", folder.File("run"), "--json"]);
        await console.LineAsync($"step {step}/7");
        console.PressControlC();
        var stopped = await console.EndAsync();
        Assert.Equal(130, stopped.ExitCode);
        Assert.Equal("paused", stopped.Json.GetProperty("status").GetString());
        Assert.Contains($"genslm resume {folder.File("run")}", stopped.Errors);

        var resumed = await GenSlmConsole.RunAsync("resume", folder.File("run"), "--json");
        Assert.Equal(0, resumed.ExitCode);
        Assert.Contains($"going on after step {stopped.Json.GetProperty("steps").GetInt32()}", resumed.Errors);
        AssertSameRun(expected, resumed.Json, folder);
    }

    [Fact]
    public async Task A_console_killed_at_once_leaves_no_silo_and_the_run_resumes_to_the_same_bits()
    {
        using var folder = new TemporaryFolder();
        var expected = await undisturbed.TrainAsync(Settings);
        using var console = GenSlmConsole.Start(["train", .. Settings, "--output", folder.File("run"), "--silos", "2"]);
        await console.LineAsync("step 5/7");
        var silos = console.Silos();
        Assert.Equal(2, silos.Length);
        console.Signal("KILL");
        await console.EndAsync();
        await AssertGoneAsync(silos);

        var resumed = await GenSlmConsole.RunAsync("resume", folder.File("run"), "--json");
        Assert.Equal(0, resumed.ExitCode);
        Assert.Contains("going on after step 3", resumed.Errors);
        AssertSameRun(expected, resumed.Json, folder);
    }

    [Fact]
    public async Task A_run_killed_before_its_first_checkpoint_begins_again_and_a_finished_one_is_only_reported()
    {
        using var folder = new TemporaryFolder();
        var expected = await undisturbed.TrainAsync(Settings);
        using var console = GenSlmConsole.Start(["train", .. Settings, "--output", folder.File("run")]);
        await console.LineAsync("step 1/7");
        console.Signal("KILL");
        await console.EndAsync();
        AssertSameRun(expected, await GenSlmConsole.TrainAsync([.. Settings, "--output", folder.File("run"), "--resume"]), folder);
        AssertSameRun(expected, await GenSlmConsole.TrainAsync([.. Settings, "--output", folder.File("run"), "--resume"]), folder);
    }

    [Fact]
    public async Task A_second_signal_stops_at_once_and_a_silo_that_dies_is_reported()
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.StartInGroup("train", GenSlmConsole.Sample, "--accumulation-steps", "80", "--batch-size", "8", "--output", folder.File("run"));
        await console.LineAsync("silo-0 cpu");
        console.PressControlC();
        await console.LineAsync("stopping at the next step boundary");
        console.PressControlC();
        Assert.Equal(130, (await console.EndAsync()).ExitCode);

        using var second = GenSlmConsole.Start("train", GenSlmConsole.Sample, "--epochs", "50", "--output", folder.File("second"));
        await second.LineAsync("step 1/");
        GenSlmConsole.Signal(second.Silos().Single(), "KILL");
        var result = await second.EndAsync();
        Assert.Equal(3, result.ExitCode);
        // Nothing of its log is quoted, for nothing in it tells why.
        Assert.Matches(@"A silo ended unexpectedly: exit code 137 \(killed, by somebody or for want of memory\); its log is \S+\n$", result.Errors);
    }

    [Fact]
    public async Task A_console_waits_for_a_silo_that_is_halted_for_as_long_as_it_is_there_and_says_so()
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.Start("train", GenSlmConsole.Sample, "--max-steps", "40", "--batch-size", "1", "--accumulation-steps", "1", "--threads", "1", "--output", folder.File("run"), "--json");
        await console.LineAsync("step 1/");
        int silo = console.Silos().Single();
        GenSlmConsole.Signal(silo, "STOP");
        await console.LineAsync("waiting for the cluster, which does not answer; silo-0 is running");
        GenSlmConsole.Signal(silo, "CONT");
        var result = await console.EndAsync();
        Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}\n{result.Errors}");
        Assert.Single(result.Errors.Split('\n'), line => line.StartsWith("waiting for the cluster", StringComparison.Ordinal));
        Assert.Contains("the cluster answers again", result.Errors);
    }

    [Fact]
    public async Task A_run_that_has_not_begun_is_given_up_at_the_first_signal()
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.StartInGroup("train", GenSlmConsole.Sample, "--output", folder.File("run"), "--silos", "3");
        while (console.Silos().Length == 0) await Task.Yield();
        console.PressControlC();
        var result = await console.EndAsync();
        Assert.Equal((130, "Stopped before the run began; the same command begins it.\n"), (result.ExitCode, result.Errors));
        await AssertGoneAsync(console.Silos());
    }

    private void AssertSameRun(JsonElement expected, JsonElement found, TemporaryFolder folder)
    {
        Assert.Equal(Hash(expected), Hash(found));
        Assert.Equal(expected.GetProperty("bestValLoss").GetDouble(), found.GetProperty("bestValLoss").GetDouble());
        Assert.Equal(expected.GetProperty("tokens").GetInt64(), found.GetProperty("tokens").GetInt64());
        Assert.Equal(WithoutSeconds(undisturbed.Output), WithoutSeconds(folder.File("run")));
        Assert.Equal(File.ReadAllBytes(Path.Combine(undisturbed.Output, "best_model_state_dict.pth")), File.ReadAllBytes(folder.File("run/best_model_state_dict.pth")));
    }

    private static string[] WithoutSeconds(string output) =>
        [.. File.ReadLines(Path.Combine(output, "metrics.jsonl")).Select(line => line.Split(",\"seconds\"")[0])];

    private static string? Hash(JsonElement summary) => summary.GetProperty("weightsSha256").GetString();

    private static async Task AssertGoneAsync(int[] processes)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (processes.Any(id => Directory.Exists($"/proc/{id}") && !File.ReadAllText($"/proc/{id}/status").Contains("State:\tZ")))
        {
            Assert.False(deadline.IsCancellationRequested, "a silo outlived its console");
            await Task.Yield();
        }
    }
}
