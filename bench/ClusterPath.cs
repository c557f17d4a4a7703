using System.Diagnostics;
using System.Globalization;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Bench;

/// <summary>The console as its users start it, with one local silo; times are those it wrote down.</summary>
internal static class ClusterPath
{
    private const string Console = "artifacts/bin/Client/release/GenSlmOrleans.Client.dll";

    public static async Task<StepTime[]> RunAsync(Workload workload, string output)
    {
        var program = Measurement.InCheckout(Console);
        if (!File.Exists(program)) throw new UsageException($"{program} is not there; build src/Client and src/Silo in Release first, as bench/run does.");
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in Arguments(program, workload, output)) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        var outputText = process.StandardOutput.ReadToEndAsync();
        var errorText = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"The console ended with code {process.ExitCode}.\n{await outputText}{await errorText}");
        var lines = await File.ReadAllLinesAsync(Path.Combine(output, "metrics.jsonl"));
        var steps = lines.Select(MetricLine.FromJson).Where(line => line?.Kind == "step").Select(line => new StepTime(line!.Tokens!.Value, line.Seconds!.Value)).ToArray();
        return steps.Length == workload.Steps
            ? steps
            : throw new InvalidOperationException($"The run was to take {workload.Steps} steps and took {steps.Length}; the file may have too few records.");
    }

    private static IEnumerable<string> Arguments(string program, Workload workload, string output) =>
    [
        program, "train", workload.Fasta,
        "--model", workload.ModelName,
        "--max-steps", Text(workload.Steps),
        "--val-fraction", "0",
        "--shuffle", "false",
        "--batch-size", Text(Workload.BatchSize),
        "--accumulation-steps", Text(Workload.AccumulationSteps),
        "--threads", Text(workload.Threads),
        "--output", output,
        "--json",
    ];

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
