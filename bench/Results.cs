using System.Globalization;
using System.Text;
using System.Text.Json;

namespace GenSlmOrleans.Bench;

/// <summary>What benches have found: each line is printed when it is there, and all go into one table and one JSON file when that is wanted.</summary>
internal sealed class Results
{
    private static readonly JsonSerializerOptions s_json = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    private readonly List<BenchResult> _found = [];
    private readonly List<string> _skipped = [];

    public void Add(BenchResult result)
    {
        Console.WriteLine(result);
        _found.Add(result);
    }

    /// <summary>Says why there is nothing to compare with.</summary>
    public void Skip(string bench, string why)
    {
        var line = $"{bench}: {why}";
        Console.WriteLine(line);
        _skipped.Add(line);
    }

    /// <summary>Writes <c>all.md</c> and <c>all.json</c>.</summary>
    public void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "all.json"), JsonSerializer.Serialize(new { processor = Processor(), cores = Environment.ProcessorCount, results = _found, skipped = _skipped }, s_json) + "\n");
        File.WriteAllText(Path.Combine(folder, "all.md"), Table());
    }

    private string Table()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"# All benches, on {Environment.ProcessorCount} cores ({Processor()})\n");
        text.AppendLine("| bench | what | ours | beside it | ratio | bar | |\n|---|---|---|---|---|---|---|");
        foreach (var result in _found)
            text.AppendLine(CultureInfo.InvariantCulture, $"| {result.Bench} | {result.What} | {result.Ours:G4} {result.Unit} | {result.Beside:G4} {result.Unit}, {result.BesideWhat} | {result.Ratio:F2} | {result.Bar} | {(result.IsMet ? "" : "missed")} |");
        if (_skipped.Count > 0) text.AppendLine().AppendJoin('\n', _skipped.Select(line => "- " + line)).AppendLine();
        return text.ToString();
    }

    private static string Processor() =>
        File.Exists("/proc/cpuinfo") && File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal)) is { } line
            ? line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim()
            : "unknown";
}
