using System.Globalization;
using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>Real silo processes that are killed, stopped and told to leave; the weights are those of an undisturbed run on one silo.</summary>
public sealed class ElasticTests
{
    private static JsonElement? s_undisturbed;

    /// <summary>With one block there is one partition: of three silos, two hold it and one has only shards; the run grain is on one of them.</summary>
    [Theory]
    [InlineData("silo-0")]
    [InlineData("silo-1")]
    [InlineData("silo-2")]
    public async Task A_silo_killed_with_minus_9_changes_no_bit(string name)
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.Start(Arguments(folder.File("run"), silos: 3));
        await console.LineAsync("step 4/");
        GenSlmConsole.Signal(console.Silo(name), "KILL");
        await console.LineAsync($"{name} has ended");
        var summary = await EndsAsUndisturbedAsync(console, folder.File("run"));
        Assert.Equal((0, 0), (summary.GetProperty("repeatedMicroBatches").GetInt32(), summary.GetProperty("replayedSteps").GetInt32()));
    }

    [Fact]
    public async Task Two_of_three_silos_killed_at_once_change_no_bit()
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.Start(Arguments(folder.File("run"), silos: 3));
        await console.LineAsync("step 7/");
        GenSlmConsole.Signal(console.Silo("silo-0"), "KILL");
        GenSlmConsole.Signal(console.Silo("silo-1"), "KILL");
        await EndsAsUndisturbedAsync(console, folder.File("run"));
    }

    /// <summary>The console's gateway among them: it goes over to another.</summary>
    [Theory]
    [InlineData("silo-0")]
    [InlineData("silo-1")]
    public async Task A_silo_stopped_until_it_is_declared_dead_does_no_harm_when_it_goes_on(string name)
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.Start(Arguments(folder.File("run"), silos: 3));
        await console.LineAsync("step 3/");
        int silo = console.Silo(name);
        GenSlmConsole.Signal(silo, "STOP");
        await console.LineAsync("step 8/");
        GenSlmConsole.Signal(silo, "CONT");
        await EndsAsUndisturbedAsync(console, folder.File("run"));
    }

    [Fact]
    public async Task A_silo_told_to_leave_hands_over_and_no_step_is_done_again()
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.Start(Arguments(folder.File("run"), silos: 3));
        await console.LineAsync("step 3/");
        GenSlmConsole.Signal(console.Silo("silo-0"), "TERM");
        Assert.Contains("exit code 0", await console.LineAsync("silo-0 has ended"));
        var summary = await EndsAsUndisturbedAsync(console, folder.File("run"));
        Assert.Equal((0, 0), (summary.GetProperty("repeatedMicroBatches").GetInt32(), summary.GetProperty("replayedSteps").GetInt32()));
    }

    /// <summary>Each of the settings is false or 0, and the run grain is on one of the two: the next driver has them from the store.</summary>
    [Theory]
    [InlineData("silo-0")]
    [InlineData("silo-1")]
    public async Task A_silo_killed_with_minus_9_leaves_a_run_the_settings_that_are_off(string name)
    {
        using var folder = new TemporaryFolder();
        string[] off = ["--shuffle", "false", "--val-fraction", "0", "--seed", "0"];
        using var console = GenSlmConsole.Start([.. Arguments(folder.File("run"), silos: 2), .. off]);
        await console.LineAsync("step 4/");
        GenSlmConsole.Signal(console.Silo(name), "KILL");
        var result = await console.EndAsync();
        Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}\n{result.Errors}");
        using var alone = GenSlmConsole.Start([.. Arguments(folder.File("alone"), silos: 1), .. off]);
        var undisturbed = await alone.EndAsync();
        Assert.Equal(Text(undisturbed.Json, "weightsSha256"), Text(result.Json, "weightsSha256"));
    }

    private static async Task<JsonElement> EndsAsUndisturbedAsync(GenSlmConsole console, string output)
    {
        var result = await console.EndAsync();
        Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}\n{result.Errors}");
        s_undisturbed ??= await UndisturbedAsync();
        Assert.Equal(Text(s_undisturbed.Value, "weightsSha256"), Text(result.Json, "weightsSha256"));
        Assert.Equal(Text(s_undisturbed.Value, "ledgerHead"), Text(result.Json, "ledgerHead"));
        Assert.True(result.Json.GetProperty("recordsSeenExactlyOnce").GetBoolean());
        var verified = await GenSlmConsole.RunAsync("verify", output);
        Assert.True(verified.ExitCode == 0, verified.Errors + verified.Output);
        Assert.Equal(Enumerable.Range(1, Steps), File.ReadLines(Path.Combine(output, "metrics.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => Text(line, "kind") == "step")
            .Select(line => line.GetProperty("step").GetInt32()));
        return result.Json;
    }

    private static async Task<JsonElement> UndisturbedAsync()
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.Start(Arguments(folder.File("run"), silos: 1));
        var result = await console.EndAsync();
        Assert.True(result.ExitCode == 0, result.Errors);
        return result.Json;
    }

    private const int Steps = 16;

    private static string[] Arguments(string output, int silos) =>
    [
        "train", GenSlmConsole.Sample, "--output", output, "--silos", silos.ToString(CultureInfo.InvariantCulture), "--shards", "5", "--threads", "1",
        "--accumulation-steps", "2", "--learning-rate", "3e-3", "--epochs", "2", "--val-every", "5", "--limit-val-batches", "4", "--seq-length", "200",
        "--max-steps", Steps.ToString(CultureInfo.InvariantCulture), "--plain", "--json",
    ];

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}
