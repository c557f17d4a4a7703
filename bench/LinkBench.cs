using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Chaos;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Client.Rendering;

namespace GenSlmOrleans.Bench;

/// <summary>
/// Two silos with a line between them that is the bottleneck: a step beside the computing in it, and what a step takes outside of computing beside what
/// its bytes take on the line.
/// </summary>
internal static class LinkBench
{
    private const int Silos = 2;
    private const int WarmUpSteps = 2;
    private const int Accumulation = 4;

    public static async Task RunAsync(Options options, Results results)
    {
        int rounds = options.Number("rounds", 3), steps = options.Number("steps", 6), shortSteps = options.Number("short-steps", 14), columns = options.Number("seq-length", 469);
        int megabits = options.Number("megabits", 1000);
        var precision = ChoiceText.Parse<Precision>("exchange", options.Text("exchange") ?? "fp32");
        var (model, fasta) = (options.Model(), options.Text("fasta") ?? Measurement.DefaultFasta());
        if (await SiloNetwork.ObstacleAsync(megabits) is { } obstacle)
        {
            results.Skip("link", obstacle);
            return;
        }

        double lineBytesPerSecond = megabits * 1e6 / 8;
        var step = new RunSpec { Data = fasta, Model = model, Shards = Silos, Threads = 1, BatchSize = 1, AccumulationSteps = Accumulation, SeqLength = columns, ValFraction = 0, Epochs = 1000, Exchange = precision };
        var exchange = step with { AccumulationSteps = 1, SeqLength = 8 };
        using var interrupts = new Interrupts();
        var (whole, computing, outside, line) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        for (int round = 1; round <= rounds; round++)
        {
            var run = LinkedStep.Of(await TakeAsync(step with { MaxSteps = steps }, megabits, interrupts.Token));
            whole.Add(run.Seconds);
            computing.Add(run.ComputingSeconds);
            var alone = LinkedStep.Of(await TakeAsync(exchange with { MaxSteps = shortSteps }, megabits, interrupts.Token));
            outside.Add(alone.Seconds - alone.ComputingSeconds);
            line.Add(alone.SentBytes / lineBytesPerSecond);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"round {round}  step {whole[^1]:F3} s, computing {computing[^1]:F3} s  exchange alone {outside[^1]:F3} s, {alone.SentBytes / 1e6:F0} MB a silo, on the line {line[^1]:F3} s"));
        }

        var what = string.Create(CultureInfo.InvariantCulture, $"{model}, {Silos} silos of 1 thread, {megabits} Mbit/s, sums in {Listing.Word(precision)}, medians of {rounds} rounds");
        results.Add(new BenchResult("link", $"{what}, a step, accumulation {Accumulation}, {columns} tokens", Measurement.Median(whole), Measurement.Median(computing), "s", "forward and backward in it", Bar.AtMost(precision == Precision.Bf16 ? 1.04 : 1.08)));
        results.Add(new BenchResult("line", $"{what}, a step outside of forward and backward", Measurement.Median(outside), Measurement.Median(line), "s", "its bytes at the line's rate", Bar.AtMost(1.05)));
    }

    private static async Task<MeasuredRun> TakeAsync(RunSpec spec, int megabits, CancellationToken cancellation)
    {
        try
        {
            var submission = CampaignSpecs.Submission(spec, ScratchFolder.File("run"));
            await using var network = await SiloNetwork.OpenAsync(Silos);
            for (int place = 0; place < Silos; place++) await network.LimitAsync(place, megabits);
            await using var cluster = await ChaosCluster.OpenAsync(ScratchFolder.Path, Silos, network, cancellation);
            await using (var connection = await cluster.ConnectAsync(cancellation)) await connection.Grains.GetGrain<ITrainingRunGrain>(SubmissionCheck.RunId(submission.Spec)).StartAsync(submission);
            return await MeasuredRun.ObserveAsync(submission.Spec.Output, WarmUpSteps, (int)spec.MaxSteps, () => SiloFigures.ReadAsync(
                cluster.Silos.Select(silo => (silo.Name, string.Create(CultureInfo.InvariantCulture, $"{silo.Host}:{silo.Ports.Http}"))), cancellation), cancellation);
        }
        finally
        {
            ScratchFolder.Clear();
        }
    }

    /// <summary>A step between two silos, as a mean.</summary>
    /// <param name="Seconds">The whole of it.</param>
    /// <param name="ComputingSeconds">Forward and backward, on the silo where they took longest.</param>
    /// <param name="SentBytes">Blocks that a silo sends.</param>
    private readonly record struct LinkedStep(double Seconds, double ComputingSeconds, double SentBytes)
    {
        public static LinkedStep Of(MeasuredRun run) => new(
            run.Seconds / run.Steps.Count,
            run.After.Since(run.Before, "genslm_micro_batch_seconds_total").Values.Max() / run.Steps.Count,
            run.After.Since(run.Before, "genslm_block_transfer_bytes_total", "way=\"network\"").Values.Sum() / Silos / run.Steps.Count);
    }
}
