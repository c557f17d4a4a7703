using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>'genslm chaos' as users run it; what it found wrong is in the message. Longer campaigns are for hands.</summary>
public sealed class ChaosTests
{
    [Theory]
    [InlineData("kill driver at step 2 during push; kill both-holders-0 at step 7 during apply")]
    [InlineData("kill holder-0 at step 2 during apply; pause standby-0 at step 5 during before-push; drain driver at step 9")]
    [InlineData("cluster at step 3 during checkpoint; redis at step 7 during commit")]
    public async Task A_run_struck_in_the_middle_of_a_step_ends_in_the_weights_of_an_undisturbed_one(string faults)
    {
        using var folder = new TemporaryFolder();
        // A fault after the first waits for two copies, and so for a silo to start: twelve steps may be over before.
        var report = await PassAsync("--settings", "default", "--faults", faults, "--runs", "1", "--epochs", "10", "--output", folder.Path);
        var strikes = report.GetProperty("outcomes")[0].GetProperty("strikes");
        Assert.Equal(faults.Split(';').Length, strikes.GetArrayLength());
        Assert.Equal(64, report.GetProperty("outcomes")[0].GetProperty("weightsSha256").GetString()!.Length);
        Assert.Empty(Directory.EnumerateFileSystemEntries(folder.Path));
        Assert.Empty(ProcessesNaming(folder.Path));
    }

    [Fact]
    public async Task A_seeded_campaign_passes_and_reports_each_kind_of_fault()
    {
        using var folder = new TemporaryFolder();
        var report = await PassAsync("--settings", "default", "--runs", "2", "--seed", "11", "--kinds", "kill,drain,join", "--epochs", "3", "--output", folder.Path);
        Assert.Equal(2, report.GetProperty("passed").GetInt32());
        Assert.NotEmpty(report.GetProperty("kinds").EnumerateArray());
        Assert.Equal(["after-step", "at-once"], report.GetProperty("kinds").EnumerateArray().Select(kind => kind.GetProperty("replacement").GetString()).Distinct().Order(StringComparer.Ordinal));
        Assert.All(report.GetProperty("kinds").EnumerateArray(), kind => Assert.InRange(kind.GetProperty("strikes").GetInt32(), 1, 6));
        var goodput = report.GetProperty("goodput");
        Assert.Equal(1, ((string[])["useful", "repeated", "lost", "stalled", "other"]).Sum(part => goodput.GetProperty(part).GetDouble()), 6);
        Assert.True(goodput.GetProperty("useful").GetDouble() > 0);
    }

    [Fact]
    public async Task A_run_with_drawn_settings_passes_and_its_report_names_them()
    {
        using var folder = new TemporaryFolder();
        var report = await PassAsync("--runs", "1", "--seed", "21", "--faults", "kill holder-0 at step 3; slow-disk at step 5", "--epochs", "10", "--output", folder.Path);
        var outcome = report.GetProperty("outcomes")[0];
        Assert.NotEmpty(outcome.GetProperty("settings").EnumerateArray());
        Assert.True(outcome.GetProperty("stepSeconds").GetDouble() > 0);
        Assert.Equal(["kill", "slow-disk"], report.GetProperty("kinds").EnumerateArray().Select(kind => kind.GetProperty("kind").GetString()));
        Assert.Equal(1, report.GetProperty("kinds")[0].GetProperty("beyondStep").GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task A_bit_that_flips_on_its_way_stops_the_run_before_it_reaches_a_file_and_a_device_that_hangs_loses_its_shards()
    {
        using var folder = new TemporaryFolder();
        var report = await PassAsync("--settings", "default", "--runs", "1", "--seed", "5", "--faults", "flip worker at step 3; hang worker at step 5", "--epochs", "3", "--output", folder.Path);
        Assert.Equal(["flip", "hang"], report.GetProperty("kinds").EnumerateArray().Select(kind => kind.GetProperty("kind").GetString()).Order(StringComparer.Ordinal));
    }

    private static async Task<JsonElement> PassAsync(params string[] arguments)
    {
        var result = await GenSlmConsole.RunAsync(["chaos", GenSlmConsole.Sample, .. arguments, "--json"]);
        Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}\n{result.Errors}");
        return result.Json;
    }

    private static IEnumerable<string> ProcessesNaming(string text) => Directory.EnumerateDirectories("/proc")
        .Where(folder => int.TryParse(Path.GetFileName(folder), out _))
        .Select(CommandLine)
        .Where(line => line.Contains(text, StringComparison.Ordinal));

    private static string CommandLine(string folder)
    {
        try
        {
            return File.ReadAllText(Path.Combine(folder, "cmdline"));
        }
        catch (IOException)
        {
            return "";
        }
    }
}
