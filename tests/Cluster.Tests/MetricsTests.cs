using System.Text.Json;
using System.Text.RegularExpressions;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>/metrics and /health of a live run.</summary>
public sealed partial class MetricsTests
{
    [Fact]
    public async Task Every_series_that_a_dashboard_queries_is_exported_by_a_live_run()
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.Start(
            "train", GenSlmConsole.Sample, "--epochs", "200", "--val-every", "1", "--limit-val-batches", "1", "--output", folder.File("dashboard-run"));
        var line = await console.LineAsync("metrics at ");
        var address = new Uri(line[(line.IndexOf("http", StringComparison.Ordinal))..].Split(',')[0]);
        await console.LineAsync("step 3/");
        using var http = new HttpClient { BaseAddress = address };
        var scrape = await http.GetStringAsync(address);
        Assert.Equal("alive", await http.GetStringAsync(new Uri(address, "/health/live")));
        Assert.Equal("ready", await http.GetStringAsync(new Uri(address, "/health/ready")));
        console.Signal("KILL");

        var exported = scrape.Split('\n').Where(text => text.Length > 0 && text[0] != '#').Select(text => text.Split('{', ' ')[0]).ToHashSet(StringComparer.Ordinal);
        var dashboards = Directory.GetFiles(Path.Combine(GenSlmConsole.Root, "k8s", "grafana"), "*.json");
        Assert.NotEmpty(dashboards);
        foreach (var dashboard in dashboards)
        {
            using var json = JsonDocument.Parse(File.ReadAllText(dashboard));
            var queried = Expressions(json.RootElement).SelectMany(expression => Series().Matches(expression).Select(match => match.Value)).Distinct().ToArray();
            Assert.NotEmpty(queried);
            Assert.All(queried, series => Assert.True(exported.Contains(series), $"{Path.GetFileName(dashboard)} queries {series}, which the run does not export"));
            Assert.All(json.RootElement.GetProperty("panels").EnumerateArray(), panel => Assert.False(string.IsNullOrEmpty(panel.GetProperty("description").GetString())));
        }

        Assert.Contains("genslm_validation_loss{run=\"dashboard-run\",silo=\"silo-0\"}", scrape);
        // One silo sends nothing over the network.
        Assert.Contains("genslm_block_transfer_bytes_total{direction=\"push\",run=\"dashboard-run\",silo=\"silo-0\",way=\"memory\"}", scrape);
        Assert.DoesNotContain("way=\"network\"", scrape);
        Assert.Contains(exported, series => series.StartsWith("orleans_", StringComparison.Ordinal));
        Assert.DoesNotContain("otel_scope_name=", scrape);
    }

    private static IEnumerable<string> Expressions(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(property =>
            property.Name == "expr" ? [property.Value.GetString()!] : Expressions(property.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(Expressions),
        _ => [],
    };

    [GeneratedRegex("genslm_[a-z_]+", RegexOptions.None, 1000)]
    private static partial Regex Series();
}
