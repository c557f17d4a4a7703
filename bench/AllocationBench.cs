namespace GenSlmOrleans.Bench;

/// <summary>Managed memory that a silo allocates in a step: what is large is native and taken once, so that a collection is rare and short.</summary>
internal static class AllocationBench
{
    private const int WarmUpSteps = 10;

    public static async Task RunAsync(Options options, Results results)
    {
        int steps = options.Number("steps", 60), most = options.Number("silos", 2);
        var model = options.Model();
        var fasta = options.Text("fasta") ?? Measurement.SampleFasta();
        using var interrupts = new Interrupts();
        for (int silos = 1; silos <= most; silos++)
        {
            var run = await MeasuredRun.TakeAsync(silos, WarmUpSteps, WarmUpSteps + steps, interrupts.Token,
                [.. MeasuredRun.ShortSteps(fasta, model, silos), "--val-fraction", "0"]);
            double bytes = run.After.Since(run.Before, "dotnet_gc_heap_total_allocated_bytes_total").Values.Max() / run.Steps.Count;
            results.Add(new BenchResult("allocation", $"{model}, managed memory a step, the most of {silos} silos over {run.Steps.Count} steps", bytes / 1e6, 1, "MB", "the bar", Bar.AtMost(1)));
        }
    }
}
