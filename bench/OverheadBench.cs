using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Bench;

/// <summary>What one optimizer step took and how many tokens, padding left out, it took.</summary>
internal readonly record struct StepTime(long Tokens, double Seconds);

/// <summary>What is trained, the same way by the cluster and by the bare loop.</summary>
/// <param name="Fasta">The sequences.</param>
/// <param name="ModelName">One of the presets.</param>
/// <param name="Steps">Optimizer steps of a round, the one for warming up included.</param>
/// <param name="Threads">Threads of the replica.</param>
/// <param name="AccumulationSteps">Micro-batches of a step.</param>
internal sealed record Workload(string Fasta, string ModelName, int Steps, int Threads, int AccumulationSteps)
{
    public const int BatchSize = 2;

    // The defaults of the console.
    public const ulong Seed = 42;
    public const double LearningRate = 1e-5;

    /// <summary>The preset's architecture.</summary>
    public HuggingFaceConfig Model => Measurement.Preset(ModelName);
}

/// <summary>The real console and silo beside a loop over the same batches in one process.</summary>
internal static class OverheadBench
{
    public static async Task RunAsync(Options options, Results results)
    {
        int rounds = options.Number("rounds", 2);
        var workload = new Workload(
            options.Text("fasta") ?? Measurement.DefaultFasta(),
            options.Text("model") ?? "genslm_25M_patric",
            // Libraries load and pages are touched in the first step of either.
            options.Number("steps", 2) + 1,
            options.Number("threads", Environment.ProcessorCount),
            options.Number("accumulation-steps", 10));
        if (!File.Exists(workload.Fasta)) throw new UsageException($"{workload.Fasta} does not exist; expected a FASTA file.");
        _ = workload.Model;
        var folder = Directory.CreateTempSubdirectory("genslm-bench-").FullName;
        try
        {
            var cluster = new List<StepTime>();
            var bare = new List<StepTime>();
            var (ratios, bareSpeeds) = (new List<double>(), new List<double>());
            for (int round = 1; round <= rounds; round++)
            {
                var clusterSteps = await ClusterPath.RunAsync(workload, Path.Combine(folder, $"run{round}"));
                var bareSteps = await BarePath.RunAsync(workload, Path.Combine(folder, "cache"));
                if (!clusterSteps.Select(step => step.Tokens).SequenceEqual(bareSteps.Select(step => step.Tokens)))
                    throw new InvalidOperationException("The two did not take the same tokens.");
                cluster.AddRange(clusterSteps[1..]);
                bare.AddRange(bareSteps[1..]);
                double clusterSpeed = Speed(clusterSteps[1..]), bareSpeed = Speed(bareSteps[1..]);
                ratios.Add(clusterSpeed / bareSpeed);
                bareSpeeds.Add(bareSpeed);
                Console.WriteLine($"round {round}  cluster {clusterSpeed,8:F1} tokens/s  bare {bareSpeed,8:F1} tokens/s  ratio {ratios[^1]:F3}");
            }

            // Other work on the machine only slows a step down, so the fastest steps of both are the least disturbed.
            double clusterBest = cluster.Max(Speed), bareBest = bare.Max(Speed);
            Console.WriteLine($"fastest  cluster {clusterBest,8:F1} tokens/s  bare {bareBest,8:F1} tokens/s  ratio {clusterBest / bareBest:F3}");
            double ratio = Measurement.Median(ratios), beside = Measurement.Median(bareSpeeds);
            // The ratio of the table is the median of the rounds' ratios.
            results.Add(new BenchResult("overhead", $"{workload.ModelName}, 1 silo, {workload.Threads} threads, accumulation {workload.AccumulationSteps}, median of {rounds} rounds of {workload.Steps - 1} steps", ratio * beside, beside, "tokens/s", "a bare loop", Bar.AtLeast(0.98)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static double Speed(StepTime step) => step.Tokens / step.Seconds;

    private static double Speed(IReadOnlyCollection<StepTime> steps) => steps.Sum(step => step.Tokens) / steps.Sum(step => step.Seconds);
}
