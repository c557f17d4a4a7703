using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>What holds for the tiny model holds at the size that users have.</summary>
[Trait("machine", "alone")] // It watches how late the pool is.
public sealed partial class RealSizeTests
{
    // So many steps that the preparation, which is a matter of seconds in any run, is not half of it.
    private static readonly string[] Settings =
        ["--model", "genslm_25M_patric", "--threads", "1", "--seq-length", "8", "--batch-size", "1", "--accumulation-steps", "1", "--shards", "2", "--max-steps", "100", "--val-every", "50", "--limit-val-batches", "2"];

    [Fact]
    public async Task Two_silos_stay_awake_and_alive_while_25M_parameters_are_made_trained_validated_and_kept()
    {
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "2", "--devices", "cpu");
        var silos = (int[])[cluster.ProcessOf("silo-0"), cluster.ProcessOf("silo-1")];
        var before = await DelaysAsync(silos);
        await cluster.SucceedAsync(["submit", GenSlmConsole.Sample, .. Settings, "--name", "large", "--output", cluster.File("two"), "--detach"]);
        await cluster.SucceedAsync("wait", "large", "--for", "completed", "--timeout", "5m");
        var end = JsonDocument.Parse(await cluster.SucceedAsync("describe", "large", "-o", "json")).RootElement;
        Assert.Equal("silo-0 active, silo-1 active", await cluster.SilosAsync());
        // From the submission on: what is compiled at a silo's start is not the run's.
        var delays = (await DelaysAsync(silos)).Since(before);
        Assert.True(delays.Total > 1000, $"the pools were looked at {delays.Total} times only");
        Assert.True(delays.Above(0.5) == 0, $"a pool was late by more than 0.5 s: {delays}");
        Assert.True(delays.Above(0.1) <= delays.Total / 1000, $"a pool was late by more than 0.1 s: {delays}");

        var alone = await GenSlmConsole.TrainAsync([GenSlmConsole.Sample, .. Settings, "--silos", "1", "--output", cluster.File("one")]);
        Assert.Equal(alone.GetProperty("weightsSha256").GetString(), end.GetProperty("weightsSha256").GetString());
    }

    private static async Task<Delays> DelaysAsync(int[] silos)
    {
        using var http = new HttpClient();
        var of = await Task.WhenAll(silos.Select(silo => DelaysAsync(http, silo)));
        return new Delays([.. of[0].Buckets.Select((bucket, index) => (bucket.Limit, of.Sum(delays => delays.Buckets[index].Count)))]);
    }

    private static async Task<Delays> DelaysAsync(HttpClient http, int silo)
    {
        var words = (await File.ReadAllTextAsync($"/proc/{silo}/cmdline")).Split('\0');
        var port = words[Array.IndexOf(words, "--http-port") + 1];
        var scrape = await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics"));
        return new Delays([.. Bucket().Matches(scrape).Select(match => (
            match.Groups["limit"].Value == "+Inf" ? double.PositiveInfinity : double.Parse(match.Groups["limit"].Value, CultureInfo.InvariantCulture),
            long.Parse(match.Groups["count"].Value, CultureInfo.InvariantCulture)))]);
    }

    [GeneratedRegex("genslm_pool_delay_seconds_bucket\\{[^}]*le=\"(?<limit>[^\"]+)\"[^}]*\\} (?<count>\\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Bucket();

    /// <summary>How late pools were: how often at most so many seconds.</summary>
    private sealed record Delays((double Limit, long Count)[] Buckets)
    {
        public long Total => Buckets.Max(bucket => bucket.Count);

        public Delays Since(Delays before) => new([.. Buckets.Select((bucket, index) => (bucket.Limit, bucket.Count - before.Buckets[index].Count))]);

        public long Above(double seconds) => Total - Buckets.Single(bucket => bucket.Limit == seconds).Count;

        public override string ToString() =>
            string.Join(", ", Buckets.Where(bucket => bucket.Count < Total).Select(bucket => string.Create(CultureInfo.InvariantCulture, $"{Total - bucket.Count} above {bucket.Limit} s"))) + $" of {Total} times";
    }
}
