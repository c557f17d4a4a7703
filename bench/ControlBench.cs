using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;
using Microsoft.Extensions.Logging.Abstractions;

namespace GenSlmOrleans.Bench;

/// <summary>What a run's driver costs: its own processor time on a cluster of silos that answer at once, a shard and step.</summary>
internal static class ControlBench
{
    private const double MostMicroseconds = 50;
    private const double MostRatio = 1.2;

    // For code to be compiled at its best, and the first epoch's orders.
    private const int WarmUpSteps = 4;
    private const int StepsPerEpoch = 10;

    private static readonly int[] ShardCounts = [256, 1024, 4096];

    /// <summary>Prints the table; 1 when a bar is missed.</summary>
    public static async Task<int> RunAsync(Options options)
    {
        int rounds = options.Number("rounds", 5), steps = options.Number("steps", 20), sites = options.Number("sites", 64);
        var name = options.Text("model") ?? "genslm_250M_patric";
        var config = Measurement.Preset(name);
        var measured = ShardCounts.ToDictionary(shards => shards, _ => new List<double>());
        for (int round = -1; round < rounds; round++)
        {
            foreach (int shards in ShardCounts)
            {
                double microseconds = await MeasureAsync(config, sites, shards, steps);
                if (round >= 0) measured[shards].Add(microseconds);
            }
        }

        return Report(measured, sites, steps) ? 0 : 1;
    }

    private static bool Report(Dictionary<int, List<double>> measured, int sites, int steps)
    {
        double smallest = Measurement.Median(measured[ShardCounts[0]]);
        bool isWell = true;
        Console.WriteLine($"the driver of a run on {sites} sites that answer at once; bars: {MostMicroseconds:F0} µs a shard and step, {MostRatio:F1} times the first line's");
        Console.WriteLine($"{"shards",6} {"steps",6} {"µs a shard and step",20} {"single rounds",16} {"ratio",6}");
        foreach (int shards in ShardCounts)
        {
            double median = Measurement.Median(measured[shards]);
            bool isMissed = median > MostMicroseconds || median > MostRatio * smallest;
            isWell &= !isMissed;
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{shards,6} {steps,6} {median,20:F2} {$"{measured[shards].Min():F2} to {measured[shards].Max():F2}",16} {median / smallest,6:F2}{(isMissed ? "  missed" : "")}"));
        }

        return isWell;
    }

    private static async Task<double> MeasureAsync(HuggingFaceConfig config, int siteCount, int shards, int steps)
    {
        var spec = new RunSpec { Shards = shards, ValFraction = 0, Epochs = int.MaxValue, MaxSteps = WarmUpSteps + steps };
        int records = shards * spec.BatchSize * spec.AccumulationSteps * StepsPerEpoch;
        var answers = new InstantAnswers(spec, config, new DataSummary("data", records, 512L * records, 0, 0, 0, 0) { LongestRecord = 512 });
        var record = new RunRecord { Submission = new RunSubmission(spec, config.ToJson(), Resume: false), Instance = "bench", Generation = 1 };
        using var metrics = new ClusterMetrics("bench");
        using var compute = new ComputeThreads();
        var surroundings = new RunSurroundings(
            new InstantGrains(answers), new InstantSilos(siteCount), "bench", record, () => Task.CompletedTask, metrics, TimeProvider.System, NullLogger.Instance)
        {
            Objection = null,
            Compute = compute,
            PlanAsync = (submission, data) => Task.FromResult(new RunPlan(submission.Spec, config, RunData.Sets(data))),
            Preparation = new PreparationCount("bench", record, () => Task.CompletedTask, NullLogger.Instance),
        };
        var run = new TrainingRun("bench", surroundings);
        await GrainThread.RunToEnd(run.LiveAsync);
        var status = run.Journal.StatusSince(0);
        if (status.State != RunState.Completed || status.Step != spec.MaxSteps || status.ShardsReassigned > 0 || status.Events.FirstOrDefault(known => known.Kind == RunEventKind.Warning) is not null)
            throw new InvalidOperationException($"The run was not completed as it should be: {status.State} after step {status.Step}. {status.Failure?.Message} {string.Join("; ", status.Events.Where(known => known.Kind != RunEventKind.Step).Select(known => known.Text).Take(20))}");
        return answers.Between(WarmUpSteps, WarmUpSteps + steps).TotalMicroseconds / steps / shards;
    }
}
