using System.Diagnostics;
using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>
/// Whether a cluster that nothing happens to stays up: the real console trains for three steps, again and again, each time on
/// new silos. None may be declared dead, no console may give up, and all weights are the same.
/// </summary>
internal sealed class StartsBench(string folder, string fasta, CancellationToken cancellation)
{
    // A console waits for as long as its silos live.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);

    /// <returns>The exit code: 1 where a bar is missed.</returns>
    public static async Task<int> RunAsync(Options options)
    {
        var configurations = Choose(options);
        var fasta = options.Text("fasta") ?? Measurement.SampleFasta();
        if (!File.Exists(fasta)) throw new UsageException($"{fasta} does not exist; expected a FASTA file.");
        var folder = Directory.CreateTempSubdirectory("genslm-starts-").FullName;
        using var interrupts = new Interrupts();
        bool isKept = false;
        try
        {
            var bench = new StartsBench(folder, Path.GetFullPath(fasta), interrupts.Token);
            var table = new StartsTable();
            foreach (var configuration in configurations) table.Add(configuration, StartsTable.LoadNow(), await bench.StartAsync(configuration));
            Console.WriteLine($"\n{table}");
            isKept = !table.IsAllWell;
            if (isKept) Console.WriteLine($"the logs of what went wrong are in {folder}");
            return isKept ? 1 : 0;
        }
        finally
        {
            if (!isKept) Directory.Delete(folder, recursive: true);
        }
    }

    private static StartConfiguration[] Choose(Options options)
    {
        var only = options.Text("only");
        StartConfiguration[] chosen = [.. StartConfiguration.All.Where(configuration => only is null || configuration.Name == only)];
        if (chosen.Length == 0) throw new UsageException($"--only is '{only}'; expected one of {string.Join(", ", StartConfiguration.All.Select(configuration => configuration.Name))}.");
        return [.. chosen.Select(configuration => configuration with
        {
            Model = options.Text("model") ?? configuration.Model,
            Times = options.Number("times", configuration.Times),
        })];
    }

    private async Task<IReadOnlyList<StartOutcome>> StartAsync(StartConfiguration configuration)
    {
        List<StartOutcome> outcomes = [];
        for (int start = 1; start <= configuration.Times; start++)
        {
            var outcome = await StartOnceAsync(configuration, start);
            outcomes.Add(outcome);
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{configuration.Name} {start,3} of {configuration.Times}  {Text(outcome),-12}  {outcome.Seconds,6:F1} s  stall {outcome.StallSeconds:F2} s{(outcome.DeadSilos.Count == 0 ? "" : $"  dead: {string.Join(", ", outcome.DeadSilos.Order(StringComparer.Ordinal))}")}  {outcome.WeightsSha256?[..12]}"));
        }

        return outcomes;
    }

    private async Task<StartOutcome> StartOnceAsync(StartConfiguration configuration, int start)
    {
        var output = Path.Combine(folder, $"{configuration.Name}-{start}");
        // Token stores are made once and serve all; logs are a start's own.
        OwnCache.Use(Path.Combine(folder, "cache"));
        var logs = Path.Combine(folder, "cache", "logs");
        long began = Stopwatch.GetTimestamp();
        var end = await EndAsync(configuration.Arguments(fasta, output));
        var outcome = StartOutcome.Read(end, logs, Stopwatch.GetElapsedTime(began).TotalSeconds);
        if (Directory.Exists(output)) Directory.Delete(output, recursive: true);
        if (outcome is { Completed: true, DeadSilos.Count: 0 })
        {
            Directory.Delete(logs, recursive: true);
            return outcome;
        }

        if (Directory.Exists(logs)) Directory.Move(logs, $"{output}-logs");
        await File.WriteAllTextAsync($"{output}-console.txt", end is null ? "not done in time" : $"exit code {end.ExitCode}\n{end.Errors}", cancellation);
        return outcome;
    }

    private async Task<ConsoleEnd?> EndAsync(string[] arguments)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(Limit);
        try
        {
            return await GenSlmConsole.EndAsync(limit.Token, arguments);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return null;
        }
    }

    private static string Text(StartOutcome outcome) => outcome switch
    {
        { Completed: true } => "completed",
        { ExitCode: null } => "not in time",
        { GaveUp: true } => "gave up",
        _ => $"exit code {outcome.ExitCode}",
    };
}
