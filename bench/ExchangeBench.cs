using System.Globalization;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Bench;

/// <summary>
/// What a step takes outside of forward and backward, in a real cluster: on one silo beside a fused Adam pass over the same parameters, on two
/// of one thread beside Gloo's all-reduce and torch.optim.Adam.
/// </summary>
internal static class ExchangeBench
{
    private const int PeerRounds = 7;

    // The runtime compiles for the first seconds of a silo's life, on the cores that are measured; a large model's few steps take as long.
    private const long LargeModel = 100_000_000;
    private const int WarmUpSteps = 100;
    private const int WarmUpStepsOfLarge = 6;
    private const int MeasuredSteps = 20;
    private const int MeasuredStepsOfLarge = 8;

    public static async Task RunAsync(Options options, int silos, Results results)
    {
        var model = options.Model();
        long parameters = GptNeoXStateDict.ParameterCount(Measurement.Preset(model));
        bool isLarge = parameters >= LargeModel;
        int rounds = options.Number("rounds", 3), warmUp = options.Number("warm-up", isLarge ? WarmUpStepsOfLarge : WarmUpSteps), steps = options.Number("steps", isLarge ? MeasuredStepsOfLarge : MeasuredSteps);
        var fasta = options.Text("fasta") ?? Measurement.SampleFasta();
        int threads = silos == 1 ? Environment.ProcessorCount : 1;
        using var interrupts = new Interrupts();
        var (exchange, pass) = (new List<double>(), new List<double>());
        for (int round = 1; round <= rounds; round++)
        {
            var measured = Exchange.Of(await MeasuredRun.TakeAsync(silos, warmUp, warmUp + steps, interrupts.Token,
                [.. MeasuredRun.ShortSteps(fasta, model, silos, threads), "--val-fraction", "0"]));
            exchange.Add(measured.SecondsAStep);
            pass.Add(PassSeconds(parameters, silos));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}  {measured}  one Adam pass {pass[^1]:F3} s"));
        }

        double ours = Measurement.Median(exchange), ownPass = Measurement.Median(pass);
        if (silos == 1) Report("path", ownPass, $"one fused Adam pass, {threads} threads", Bar.AtMost(1.4));
        else if (PythonPeer.IsThere) ReportPeer(parameters, ownPass);
        else results.Skip("exchange", PythonPeer.Missing);

        void Report(string name, double beside, string what, Bar bar) =>
            results.Add(new BenchResult(name, $"{model}, {silos} silos, a step outside of forward and backward, medians of {rounds} rounds of {steps} steps", ours, beside, "s", what, bar));

        void ReportPeer(long count, double adam)
        {
            var peer = ExchangePeer.Run(count, PeerRounds);
            double reduced = Measurement.Median(peer.AllReduceSeconds), torchAdam = Measurement.Median(peer.AdamSeconds);
            Report("exchange", reduced + torchAdam, string.Create(CultureInfo.InvariantCulture, $"Gloo all-reduce {reduced:F3} s and torch.optim.Adam {torchAdam:F3} s, torch {peer.Torch}, 2 ranks of 1 thread"), Bar.AtMost(0.4));
            Report("fused", reduced + adam, "Gloo all-reduce and our own Adam pass", Bar.AtMost(1));
        }
    }

    private static double PassSeconds(long parameters, int silos)
    {
        using var pass = new AdamPass(parameters, copies: silos, Environment.ProcessorCount);
        return Measurement.Median(Enumerable.Range(0, 6).Select(_ => pass.Seconds()).Skip(1));
    }

    /// <summary>What was measured of one run.</summary>
    /// <param name="StepSeconds">A whole step.</param>
    /// <param name="SecondsAStep">Of it outside of forward and backward, where the silo computed longest.</param>
    /// <param name="Phases">Of it in each of the driver's phases.</param>
    /// <param name="BytesAStep">Blocks moved, over all silos.</param>
    private sealed record Exchange(double StepSeconds, double SecondsAStep, string Phases, double BytesAStep)
    {
        public static Exchange Of(MeasuredRun run)
        {
            int steps = run.Steps.Count;
            double computing = run.After.Since(run.Before, "genslm_micro_batch_seconds_total").Values.Max();
            var phases = ((string[])["accumulate", "reduce", "apply"]).Select(phase => string.Create(CultureInfo.InvariantCulture,
                $"{phase} {run.After.Since(run.Before, "genslm_step_duration_seconds_sum", $"phase=\"{phase}\"").Values.Sum() / steps:F3}"));
            return new Exchange(run.Seconds / steps, (run.Seconds - computing) / steps, string.Join(", ", phases), run.After.Since(run.Before, "genslm_block_transfer_bytes_total").Values.Sum() / steps);
        }

        public override string ToString() => string.Create(CultureInfo.InvariantCulture,
            $"step {StepSeconds:F3} s ({Phases}), of it {SecondsAStep:F3} s outside of forward and backward, {BytesAStep / 1e6:F0} MB of blocks moved");
    }
}
