using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>
/// Two silos of one thread: their speed over that of one, beside what Gloo DDP gains from a second rank; and their speed beside the way of
/// the Python script that this replaces, which reduces after every micro-batch and pads every record to the model's positions.
/// </summary>
internal static class ScalingBench
{
    private const int WarmUpSteps = 1;
    private const int Accumulation = 4;

    /// <summary>One silo and two, beside one rank and two.</summary>
    public static async Task RunScalingAsync(Options options, Results results)
    {
        int rounds = options.Number("rounds", 5), steps = options.Number("steps", 3), columns = options.Number("seq-length", 469);
        var (model, fasta) = (options.Model(), options.Text("fasta") ?? Measurement.DefaultFasta());
        if (!PythonPeer.IsThere)
        {
            results.Skip("scaling", PythonPeer.Missing);
            return;
        }

        using var interrupts = new Interrupts();
        var (ours, peers) = (new List<double>(), new List<double>());
        for (int round = 1; round <= rounds; round++)
        {
            double[] silos = [await SpeedAsync(1), await SpeedAsync(2)];
            ours.Add(silos[1] / silos[0]);
            double one = PeerSpeed(1), two = PeerSpeed(2);
            peers.Add(two / one);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}  silos {silos[0]:F1} and {silos[1]:F1} tokens/s, {ours[^1]:F2}  ranks {one:F1} and {two:F1} tokens/s, {peers[^1]:F2}"));
        }

        results.Add(new BenchResult("scaling", $"{model}, 2 silos of 1 thread over 1, accumulation {Accumulation}, {columns} tokens, medians of {rounds} rounds", Measurement.Median(ours), Measurement.Median(peers), "times", "Gloo DDP, 2 ranks over 1", Bar.AtLeast(1)));

        async Task<double> SpeedAsync(int silos) => (await MeasuredRun.TakeAsync(silos, WarmUpSteps, WarmUpSteps + steps, interrupts.Token,
            [.. Settings(fasta, model, silos), "--batch-size", "1", "--seq-length", Measurement.Text(columns)])).Speed;

        double PeerSpeed(int ranks) => PeerTraining.Run(model, ranks, batch: 1, columns, columns, Accumulation, steps, reducesEachMicroBatch: false);
    }

    /// <summary>Two silos beside the script's way on two ranks.</summary>
    public static async Task RunScriptAsync(Options options, Results results)
    {
        const int Batch = 2, Silos = 2;
        int rounds = options.Number("rounds", 5), steps = options.Number("steps", 2);
        var (model, fasta) = (options.Model(), options.Text("fasta") ?? Measurement.DefaultFasta());
        int positions = Measurement.Preset(model).MaximumPositions;
        if (!PythonPeer.IsThere)
        {
            results.Skip("script", PythonPeer.Missing);
            return;
        }

        using var interrupts = new Interrupts();
        var (ours, peers) = (new List<double>(), new List<double>());
        for (int round = 1; round <= rounds; round++)
        {
            var run = await MeasuredRun.TakeAsync(Silos, WarmUpSteps, WarmUpSteps + steps, interrupts.Token, [.. Settings(fasta, model, Silos), "--batch-size", Measurement.Text(Batch)]);
            ours.Add(run.Speed);
            double length = run.Steps.Average(step => step.Tokens!.Value) / (Silos * Batch * Accumulation);
            double speed = PeerTraining.Run(model, Silos, Batch, positions, length, Accumulation, steps: 1, reducesEachMicroBatch: true);
            peers.Add(speed);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}  silos {ours[^1]:F1} tokens/s  script {speed:F1} tokens/s"));
        }

        results.Add(new BenchResult("script", $"{model}, 2 silos of 1 thread, medians of {rounds} rounds", Measurement.Median(ours), Measurement.Median(peers), "tokens/s", $"DDP, 2 ranks, a reduction a micro-batch, padded to {positions}", Bar.AtLeast(10)));
    }

    private static string[] Settings(string fasta, string model, int silos) =>
        [fasta, "--model", model, "--val-fraction", "0", "--threads", "1", "--shards", Measurement.Text(silos), "--accumulation-steps", Measurement.Text(Accumulation)];
}
