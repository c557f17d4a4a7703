using System.Globalization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Bench;

/// <summary>The console as its users start it, with one local silo; times are those it wrote down.</summary>
internal static class ClusterPath
{
    public static async Task<StepTime[]> RunAsync(Workload workload, string output)
    {
        await GenSlmConsole.RunAsync(CancellationToken.None, [.. Arguments(workload, output)]);
        var lines = await File.ReadAllLinesAsync(Path.Combine(output, "metrics.jsonl"));
        var steps = lines.Select(MetricLine.FromJson).Where(line => line?.Kind == "step").Select(line => new StepTime(line!.Tokens!.Value, line.Seconds!.Value)).ToArray();
        return steps.Length == workload.Steps
            ? steps
            : throw new InvalidOperationException($"The run was to take {workload.Steps} steps and took {steps.Length}; the file may have too few records.");
    }

    private static IEnumerable<string> Arguments(Workload workload, string output) =>
    [
        "train", workload.Fasta,
        "--model", workload.ModelName,
        "--max-steps", Text(workload.Steps),
        "--val-fraction", "0",
        "--shuffle", "false",
        "--batch-size", Text(Workload.BatchSize),
        "--accumulation-steps", Text(workload.AccumulationSteps),
        "--threads", Text(workload.Threads),
        "--output", output,
        "--json",
    ];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
