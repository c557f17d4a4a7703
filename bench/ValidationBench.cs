using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>How long a validation of the same records takes in larger batches, beside batches of one record.</summary>
internal static class ValidationBench
{
    private const int WarmUpValidations = 1;

    public static async Task RunAsync(Options options, Results results)
    {
        int rounds = options.Number("rounds", 3), records = options.Number("records", 32), batch = options.Number("val-batch-size", 16), validations = options.Number("validations", 3);
        if (records % batch != 0) throw new UsageException($"--records is {records}; expected a multiple of --val-batch-size, which is {batch}, so that both validate on the same.");
        var model = options.Model();
        var fasta = options.Text("fasta") ?? Measurement.SampleFasta();
        using var interrupts = new Interrupts();
        var (ours, beside) = (new List<double>(), new List<double>());
        for (int round = 1; round <= rounds; round++)
        {
            ours.Add(await SecondsAsync(batch));
            beside.Add(await SecondsAsync(1));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}  batches of {batch} {ours[^1]:F2} s  of 1 {beside[^1]:F2} s"));
        }

        results.Add(new BenchResult("validation", $"{model}, 1 silo, {records} records in batches of {batch}, medians of {rounds} rounds of {validations} validations", Measurement.Median(ours), Measurement.Median(beside), "s", "batches of one record", Bar.AtMost(1)));

        async Task<double> SecondsAsync(int size)
        {
            // One step more: the last one's validation may not have been written when that step has.
            var run = await MeasuredRun.TakeAsync(silos: 1, WarmUpValidations, WarmUpValidations + validations + 1, interrupts.Token,
            [
                fasta, "--model", model, "--batch-size", "1", "--accumulation-steps", "1", "--epochs", "1000", "--val-data", fasta,
                "--val-every", "1", "--val-batch-size", Measurement.Text(size), "--limit-val-batches", Measurement.Text(records / size),
            ]);
            return Measurement.Median(run.All.Where(line => line.Kind == "validation").Skip(WarmUpValidations).Take(validations).Select(line => line.Seconds!.Value));
        }
    }
}
