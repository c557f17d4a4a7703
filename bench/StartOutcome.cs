using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace GenSlmOrleans.Bench;

/// <summary>What one start came to.</summary>
/// <param name="ExitCode">The console's; null: it was not done in time.</param>
/// <param name="WeightsSha256">Of the weights; null where the run was not completed.</param>
/// <param name="DeadSilos">Silos that were declared dead or ended before the run did.</param>
/// <param name="Seconds">From the console's start to its end.</param>
/// <param name="StallSeconds">The longest stall of a silo's thread pool, as Orleans logs it; 0: none that it noticed.</param>
internal sealed partial record StartOutcome(int? ExitCode, string? WeightsSha256, IReadOnlySet<string> DeadSilos, double Seconds, double StallSeconds)
{
    private const int ClusterUnreachable = 3;

    /// <summary>The console said that the cluster does not answer, or was still waiting when the time was up.</summary>
    public bool GaveUp => ExitCode is null or ClusterUnreachable;

    public bool Completed => ExitCode == 0 && WeightsSha256 is not null;

    /// <summary>Reads what the console and the silos' logs say.</summary>
    /// <param name="end">The console; null: it was not done in time.</param>
    /// <param name="logs">The folder of the silos' logs.</param>
    /// <param name="seconds">What it took.</param>
    public static StartOutcome Read(ConsoleEnd? end, string logs, double seconds)
    {
        HashSet<string> dead = new(StringComparer.Ordinal);
        // What the run has noticed, and what the console has.
        foreach (Match line in Lost().Matches(end?.Errors ?? "")) dead.Add(line.Groups["silo"].Value);
        double stall = 0;
        foreach (var path in Directory.Exists(logs) ? Directory.GetFiles(logs, "*-silo-*.log") : [])
        {
            var text = File.ReadAllText(path);
            // A silo that was declared dead ends itself when it reads so, perhaps after a run that did not need it.
            if (text.Contains("I have been told I am dead", StringComparison.Ordinal)) dead.Add($"silo-{Path.GetFileNameWithoutExtension(path).Split('-')[^1]}");
            foreach (Match line in Stalled().Matches(text)) stall = Math.Max(stall, double.Parse(line.Groups["seconds"].Value, CultureInfo.InvariantCulture));
        }

        return new StartOutcome(end?.ExitCode, end is { ExitCode: 0 } ? WeightsOf(end.Output) : null, dead, seconds, stall);
    }

    private static string? WeightsOf(string summary)
    {
        using var json = JsonDocument.Parse(summary);
        return json.RootElement.GetProperty("weightsSha256").GetString();
    }

    [GeneratedRegex(@"^(?<silo>silo-\d+) (is lost|has ended)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Lost();

    [GeneratedRegex(@"Thread Pool execution stalled for (?<seconds>[\d.]+)s", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Stalled();
}
