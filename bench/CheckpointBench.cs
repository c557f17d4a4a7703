using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Bench;

/// <summary>How much longer steps take because a checkpoint is written beside them.</summary>
internal static class CheckpointBench
{
    private const int WarmUpSteps = 4;

    public static async Task RunAsync(Options options, Results results)
    {
        int period = options.Number("steps", 12), checkpoints = options.Number("checkpoints", 5);
        var model = options.Model("genslm_250M_patric");
        var fasta = options.Text("fasta") ?? Measurement.SampleFasta();
        if (period <= WarmUpSteps) throw new UsageException($"--steps is {period}; expected more than {WarmUpSteps}, which do not count.");
        using var interrupts = new Interrupts();
        var run = await MeasuredRun.TakeAsync(silos: 1, period, period * (checkpoints + 1), interrupts.Token,
            [.. MeasuredRun.ShortSteps(fasta, model, silos: 1, Environment.ProcessorCount), "--val-every", Measurement.Text(period), "--limit-val-batches", "1"]);
        // Before the first validation there is no checkpoint to write.
        double undisturbed = Measurement.Median(run.All.Where(line => line.Kind == "step").Take(period).Skip(WarmUpSteps).Select(line => line.Seconds!.Value));
        MetricLine[] beside = [.. run.All.Where(line => line.Step > period || (line.Step == period && line.Kind == "validation"))];
        // A validation is no loss; what was waited for before or after it is.
        double took = beside.Sum(line => (line.Kind == "step" ? line.Seconds!.Value : 0) + (line.OtherSeconds ?? 0));
        double lost = (took - (undisturbed * beside.Count(line => line.Kind == "step"))) / checkpoints;
        double written = run.After.Since(run.Before, "genslm_checkpoint_duration_seconds_count").Values.Sum();
        if (written == 0) throw new UsageException($"No checkpoint was written in {period * (checkpoints + 1)} steps; more --steps between two give it the time.");
        double seconds = run.After.Since(run.Before, "genslm_checkpoint_duration_seconds_sum").Values.Sum() / written;
        results.Add(new BenchResult("checkpoint", $"{model}, training time lost to a checkpoint, mean of {checkpoints}, each beside {period} steps of {undisturbed:F2} s", lost, seconds, "s", "time to write it", Bar.AtMost(0.1)));
    }
}
