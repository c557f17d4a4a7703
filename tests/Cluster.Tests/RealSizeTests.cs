using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>What holds for the tiny model holds at the size that users have.</summary>
[Trait("machine", "alone")] // It watches how late the pool is.
public sealed partial class RealSizeTests
{
    private static readonly string[] Settings =
        ["--model", "genslm_25M_patric", "--threads", "1", "--seq-length", "8", "--batch-size", "1", "--accumulation-steps", "1", "--shards", "2", "--max-steps", "4", "--val-every", "2", "--limit-val-batches", "2"];

    [Fact]
    public async Task Two_silos_stay_awake_and_alive_while_25M_parameters_are_made_trained_validated_and_kept()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "2", "--devices", "cpu");
        await cluster.SucceedAsync(["submit", GenSlmConsole.Sample, .. Settings, "--name", "large", "--output", cluster.File("two"), "--detach"]);
        await cluster.SucceedAsync("wait", "large", "--for", "completed", "--timeout", "5m");
        var end = JsonDocument.Parse(await cluster.SucceedAsync("describe", "large", "-o", "json")).RootElement;
        Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());
        foreach (var silo in (string[])["silo-0", "silo-1"])
        {
            var delays = await DelaysAsync(cluster.ProcessOf(silo));
            Assert.True(delays.Total > 100, $"{silo} was looked at {delays.Total} times only");
            Assert.True(delays.Above(0.5) == 0, $"{silo}'s pool was late by more than 0.5 s, {delays.Above(0.5)} of {delays.Total} times");
            // Its first seconds included, in which everything is compiled.
            Assert.True(delays.Above(0.1) <= delays.Total / 100, $"{silo}'s pool was late by more than 0.1 s, {delays.Above(0.1)} of {delays.Total} times");
        }

        var alone = await GenSlmConsole.TrainAsync([GenSlmConsole.Sample, .. Settings, "--silos", "1", "--output", cluster.File("one")]);
        Assert.Equal(alone.GetProperty("weightsSha256").GetString(), end.GetProperty("weightsSha256").GetString());
    }

    private static async Task<Delays> DelaysAsync(int process)
    {
        var words = (await File.ReadAllTextAsync($"/proc/{process}/cmdline")).Split('\0');
        var port = words[Array.IndexOf(words, "--http-port") + 1];
        using var http = new HttpClient();
        var scrape = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"));
        return new Delays([.. Bucket().Matches(scrape).Select(match => (
            match.Groups["limit"].Value == "+Inf" ? double.PositiveInfinity : double.Parse(match.Groups["limit"].Value, CultureInfo.InvariantCulture),
            long.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture)))]);
    }

    [GeneratedRegex("genslm_pool_delay_seconds_bucket\\{[^}]*le=\"(?<limit>[^\"]+)\"[^}]*\\} (?<count>\\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Bucket();

    /// <summary>How late a pool was: how often at most so many seconds.</summary>
    private sealed record Delays((double Limit, long Count)[] Buckets)
    {
        public long Total => Buckets.Max(bucket => bucket.Count);

        public long Above(double seconds) => Total - Buckets.Single(bucket => bucket.Limit == seconds).Count;
    }
}
