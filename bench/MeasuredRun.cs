using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Bench;

/// <summary>A training in a cluster of its own that the console starts and ends. Its first steps, in which libraries load, pages are touched and methods are compiled, do not count.</summary>
/// <param name="All">All lines of its steps and validations, in order.</param>
/// <param name="Steps">The steps that count.</param>
/// <param name="Before">What the silos had counted when the first of them began.</param>
/// <param name="After">The same after the last.</param>
internal sealed record MeasuredRun(IReadOnlyList<MetricLine> All, IReadOnlyList<MetricLine> Steps, SiloFigures Before, SiloFigures After)
{
    public double Seconds => Steps.Sum(step => step.Seconds!.Value);

    /// <summary>Real tokens per second.</summary>
    public double Speed => Steps.Sum(step => step.Tokens!.Value) / Seconds;

    /// <summary>Trains and measures; leaves nothing behind.</summary>
    /// <param name="silos">How many silos of one device each.</param>
    /// <param name="warmUpSteps">The steps that do not count.</param>
    /// <param name="steps">All steps.</param>
    /// <param name="cancellation">Ends the cluster.</param>
    /// <param name="submission">What is trained, and the settings away from their defaults.</param>
    public static async Task<MeasuredRun> TakeAsync(int silos, int warmUpSteps, int steps, CancellationToken cancellation, params string[] submission)
    {
        var output = ScratchFolder.File("run");
        try
        {
            await using var cluster = new ConsoleCluster(ScratchFolder.File("cache"));
            await GenSlmConsole.RunAsync(cancellation, "up", "--silos", Measurement.Text(silos), "--devices", "cpu");
            await GenSlmConsole.RunAsync(cancellation, ["submit", .. submission, "--max-steps", Measurement.Text(steps), "--output", output, "--detach"]);
            return await ObserveAsync(output, warmUpSteps, steps, () => SiloFigures.ReadAsync(cancellation), cancellation);
        }
        finally
        {
            ScratchFolder.Clear();
        }
    }

    /// <summary>Measures a run that has been submitted, until its last step.</summary>
    /// <param name="output">Where its metrics appear.</param>
    /// <param name="warmUpSteps">The steps that do not count.</param>
    /// <param name="steps">All steps.</param>
    /// <param name="read">Asks its silos.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<MeasuredRun> ObserveAsync(string output, int warmUpSteps, int steps, Func<Task<SiloFigures>> read, CancellationToken cancellation)
    {
        // Figures are read at a step's end; by then more steps may have ended than were waited for.
        await TakenAsync(output, warmUpSteps, cancellation);
        var before = await read();
        int counted = StepsOf(Lines(output)).Count;
        if (counted == steps) throw new UsageException($"All {steps} steps had ended before the silos were asked: the model is too small for so few --steps.");
        await TakenAsync(output, steps, cancellation);
        var after = await read();
        var lines = Lines(output);
        return new MeasuredRun(lines, [.. StepsOf(lines).Skip(counted)], before, after);
    }

    /// <summary>The last step in a run's metrics; 0: there is none yet.</summary>
    public static long LastStep(string output) => StepsOf(Lines(output)).Select(step => step.Step).DefaultIfEmpty().Max();

    /// <summary>Settings of steps that compute next to nothing: what is left is what a step costs outside of forward and backward. One shard a silo.</summary>
    public static string[] ShortSteps(string fasta, string model, int silos, int threads = 1) =>
    [
        fasta, "--model", model, "--shards", Measurement.Text(silos), "--batch-size", "1", "--accumulation-steps", "1", "--seq-length", "8", "--threads", Measurement.Text(threads), "--epochs", "1000",
    ];

    private static async Task TakenAsync(string output, int steps, CancellationToken cancellation)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (StepsOf(Lines(output)).Count < steps) await pace.WaitForNextTickAsync(cancellation);
    }

    private static List<MetricLine> StepsOf(List<MetricLine> lines) => [.. lines.Where(line => line.Kind == "step")];

    private static List<MetricLine> Lines(string output)
    {
        var path = Path.Combine(output, "metrics.jsonl");
        if (!File.Exists(path)) return [];
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        var text = reader.ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(MetricLine.FromJson).OfType<MetricLine>()];
    }
}
