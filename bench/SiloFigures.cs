using System.Globalization;
using System.Text.RegularExpressions;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Bench;

/// <summary>What the silos of a cluster have counted so far, as their <c>/metrics</c> say it.</summary>
internal sealed partial class SiloFigures
{
    private readonly List<(string Silo, string Name, string Labels, double Value)> _samples = [];

    /// <summary>Asks all live silos of the standing cluster.</summary>
    public static Task<SiloFigures> ReadAsync(CancellationToken cancellation) =>
        ReadAsync(StandingCluster.Find()!.LiveSilos.Select(silo => (silo.Name, $"127.0.0.1:{silo.Ports.Http}")), cancellation);

    /// <summary>Asks silos by name and address.</summary>
    public static async Task<SiloFigures> ReadAsync(IEnumerable<(string Name, string Address)> silos, CancellationToken cancellation)
    {
        using var client = new HttpClient();
        var figures = new SiloFigures();
        foreach (var (name, address) in silos)
        {
            var text = await client.GetStringAsync(new Uri($"http://{address}/metrics"), cancellation);
            figures._samples.AddRange(Sample().Matches(text).Select(sample => (
                name, sample.Groups["name"].Value, sample.Groups["labels"].Value, double.Parse(sample.Groups["value"].ValueSpan, CultureInfo.InvariantCulture))));
        }

        return figures;
    }

    /// <summary>What each silo has counted since <paramref name="before"/>: the sum over a metric's series.</summary>
    /// <param name="before">An earlier reading.</param>
    /// <param name="name">The metric.</param>
    /// <param name="label">Only series that have it, such as <c>direction="push"</c>; empty: all.</param>
    public Dictionary<string, double> Since(SiloFigures before, string name, string label = "")
    {
        var earlier = before.BySilo(name, label);
        return BySilo(name, label).ToDictionary(silo => silo.Key, silo => silo.Value - earlier.GetValueOrDefault(silo.Key), StringComparer.Ordinal);
    }

    private Dictionary<string, double> BySilo(string name, string label) => _samples
        .Where(sample => sample.Name == name && sample.Labels.Contains(label, StringComparison.Ordinal))
        .GroupBy(sample => sample.Silo, StringComparer.Ordinal)
        .ToDictionary(silo => silo.Key, silo => silo.Sum(sample => sample.Value), StringComparer.Ordinal);

    [GeneratedRegex(@"^(?<name>[a-z_]+)\{(?<labels>[^}]*)\} (?<value>[0-9.eE+-]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Sample();
}
