using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Bench;

/// <summary>Bytes that a silo sends in a step, both copies of the parameters kept and a replica on every silo, beside those of a ring all-reduce.</summary>
internal static class BytesBench
{
    private const int WarmUpSteps = 4;

    public static async Task RunAsync(Options options, Results results)
    {
        int steps = options.Number("steps", 10), silos = options.Number("silos", 4);
        if (silos < 2) throw new UsageException($"--silos is {silos}; expected at least 2.");
        var model = options.Model();
        double parametersBytes = sizeof(float) * (double)GptNeoXStateDict.ParameterCount(Measurement.Preset(model));
        var fasta = options.Text("fasta") ?? Measurement.SampleFasta();
        using var interrupts = new Interrupts();
        var run = await MeasuredRun.TakeAsync(silos, WarmUpSteps, WarmUpSteps + steps, interrupts.Token,
            [.. MeasuredRun.ShortSteps(fasta, model, silos), "--val-fraction", "0"]);
        // What is fetched is counted where it arrives, what is pushed where it leaves: over all silos as much leaves as arrives.
        double sent = run.After.Since(run.Before, "genslm_block_transfer_bytes_total", "way=\"network\"").Values.Sum() / silos / run.Steps.Count;
        double ring = 2 * parametersBytes * (silos - 1) / silos;
        results.Add(new BenchResult("bytes", $"{model}, sent by each of {silos} silos a step, mean of {run.Steps.Count}", sent / 1e6, ring / 1e6, "MB", "a ring all-reduce", Bar.AtMost(1.1)));
    }
}
