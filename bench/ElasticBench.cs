using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace GenSlmOrleans.Bench;

/// <summary>
/// Tokens per second of one run while silos join, leave and are killed, drawn over time; its weights beside those of the same
/// run on one silo that nothing happens to.
/// </summary>
internal static class ElasticBench
{
    private const string Plot = "artifacts/bin/Plot/release/GenSlmOrleans.Plot.dll";

    // Two phases begin with a silo that starts and copies its part while the run goes on at the speed of one.
    private const int PhasesOfComing = 2;

    // What the last phase still needs to have a speed.
    private const int FewestSteps = 2;

    public static async Task RunAsync(Options options)
    {
        int stepsOfPhase = options.Number("steps", 6);
        var workload = new ElasticWorkload(
            options.Text("fasta") ?? Measurement.DefaultFasta(),
            options.Text("model") ?? "genslm_25M_patric",
            options.Number("threads", 1),
            options.Number("seq-length", otherwise: 0),
            options.Number("total-steps", (ElasticScript.Phases.Count + PhasesOfComing) * stepsOfPhase));
        workload.Check();
        var output = Directory.CreateDirectory(options.Text("output") ?? Measurement.InCheckout("artifacts/bench-elastic")).FullName;
        var folder = Directory.CreateTempSubdirectory("genslm-bench-").FullName;
        using var interrupts = new Interrupts();
        Console.WriteLine($"{workload}\nlogs are in {folder}");
        // Kept where something went wrong that the logs may explain.
        bool isKept = true;
        try
        {
            await MeasureAsync(workload, stepsOfPhase, folder, output, interrupts.Token);
            isKept = false;
        }
        catch (Exception exception) when (exception is UsageException or OperationCanceledException)
        {
            isKept = false;
            throw;
        }
        finally
        {
            if (!isKept) Directory.Delete(folder, recursive: true);
        }
    }

    private static async Task MeasureAsync(ElasticWorkload workload, int stepsOfPhase, string folder, string output, CancellationToken cancellation)
    {
        await using var cluster = new ConsoleCluster(Path.Combine(folder, "cluster"));
        var expected = await UndisturbedAsync(workload, Path.Combine(folder, "undisturbed"), cancellation);
        Console.WriteLine($"one silo, undisturbed: weights sha256 {expected}");
        await ConsoleCluster.UpAsync(cancellation);
        var runFolder = Path.Combine(folder, "elastic");
        var id = await ConsoleCluster.SubmitAsync(workload, runFolder, cancellation);
        var run = new ElasticRun(cluster, stepsOfPhase);
        var status = await run.FollowAsync(id, runFolder, cancellation);
        await cluster.LeftAsync();
        if (run.Phases.Count < ElasticScript.Phases.Count || run.StepsOf(run.Phases[^1]) < FewestSteps)
            throw new UsageException($"The run was over after {status.Step} steps, in phase {run.Phases.Count} of {ElasticScript.Phases.Count}; raise --total-steps, which is {workload.Steps}.");

        var table = ElasticReport.Table(ElasticReport.Phases(run.Phases, run.History.Steps));
        var csv = Path.Combine(output, "elastic.csv");
        ElasticReport.WriteCsv(csv, run.History, run.Phases);
        await DrawAsync(csv, Path.Combine(output, "elastic.png"), cancellation);
        bool same = status.WeightsSha256 == expected;
        var verdict = $"weights sha256 {status.WeightsSha256}: {(same ? "the same as" : "NOT those")} of the undisturbed run on one silo{(same ? "" : $", {expected}")}; "
            + string.Create(CultureInfo.InvariantCulture, $"{status.RepeatedMicroBatches} micro-batches repeated, {status.ReplayedSteps} steps replayed");
        await File.WriteAllTextAsync(Path.Combine(output, "elastic.md"), $"{workload}\n\n{table}\n{verdict}\n", cancellation);
        Console.WriteLine($"\n{table}\n{verdict}\n{Path.Combine(output, "elastic.png")}");
        if (!same) throw new InvalidOperationException("Joining, leaving or dying silos changed the weights.");
    }

    /// <summary>The same run on one silo; the hash of its weights.</summary>
    private static async Task<string> UndisturbedAsync(ElasticWorkload workload, string output, CancellationToken cancellation)
    {
        var summary = await GenSlmConsole.RunAsync(cancellation, ["train", .. workload.Arguments(output), "--json"]);
        using var json = JsonDocument.Parse(summary);
        return json.RootElement.GetProperty("weightsSha256").GetString()!;
    }

    // SkiaSharp's native library and libtorch are kept out of each other's processes.
    private static async Task DrawAsync(string csv, string png, CancellationToken cancellation)
    {
        var program = Measurement.InCheckout(Plot);
        if (!File.Exists(program)) throw new UsageException($"{program} is not there; build bench/Plot in Release first, as bench/run does.");
        using var process = Process.Start(new ProcessStartInfo("dotnet", [program, csv, png]) { UseShellExecute = false, RedirectStandardError = true })!;
        var errors = await process.StandardError.ReadToEndAsync(cancellation);
        await process.WaitForExitAsync(cancellation);
        if (process.ExitCode != 0) throw new InvalidOperationException($"The picture was not drawn: {errors}");
    }
}
