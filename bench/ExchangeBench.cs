using System.Globalization;
using System.Text.RegularExpressions;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Bench;

/// <summary>
/// What a step takes outside of forward and backward, in a real cluster: on one silo beside a fused Adam pass over the same parameters, on two
/// of one thread beside Gloo's all-reduce and torch.optim.Adam.
/// </summary>
internal static partial class ExchangeBench
{
    // Libraries load, pages are touched and methods are compiled in the first ones.
    private const int WarmUpSteps = 4;
    private const int PeerRounds = 7;

    public static async Task RunAsync(Options options, int silos)
    {
        int rounds = options.Number("rounds", 3), steps = options.Number("steps", 12);
        var model = options.Text("model") ?? "genslm_25M_patric";
        var config = ModelPresets.Find(model) ?? throw new UsageException($"There is no model '{model}'; expected one of {string.Join(", ", ModelPresets.All.Select(preset => preset.Name))}.");
        long parameters = GptNeoXStateDict.ParameterCount(config);
        var fasta = options.Text("fasta") ?? Measurement.SampleFasta();
        int threads = silos == 1 ? Environment.ProcessorCount : 1;
        using var interrupts = new Interrupts();
        // The console's class that finds a cluster looks in one folder for as long as the process lives.
        var folder = Directory.CreateTempSubdirectory("genslm-exchange-").FullName;
        var (exchange, pass) = (new List<double>(), new List<double>());
        for (int round = 1; round <= rounds; round++)
        {
            var measured = await MeasureAsync(folder, fasta, model, silos, threads, steps, interrupts.Token);
            exchange.Add(measured.SecondsAStep);
            pass.Add(PassSeconds(parameters, silos));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}  {measured}  one Adam pass {pass[^1]:F3} s"));
        }

        double ours = Measurement.Median(exchange), ownPass = Measurement.Median(pass);
        if (silos == 1) Report("path", ours, ownPass, $"one fused Adam pass, {threads} threads");
        else ReportPeer(parameters, ours, ownPass);

        void Report(string name, double seconds, double beside, string what) => Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{name}  {model}  {seconds:F3} s a step  beside {beside:F3} s ({what})  ratio {seconds / beside:F2}, medians of {rounds} rounds of {steps - WarmUpSteps} steps"));

        void ReportPeer(long count, double seconds, double adam)
        {
            if (ExchangePeer.Run(count, PeerRounds) is not { } peer)
            {
                Console.WriteLine("No Python here has torch (Debian: python3-torch): there is nothing to compare with.");
                return;
            }

            double reduced = Measurement.Median(peer.AllReduceSeconds);
            Report("exchange", seconds, reduced + Measurement.Median(peer.AdamSeconds), $"Gloo all-reduce {reduced:F3} s and torch.optim.Adam, torch {peer.Torch}, 2 ranks of 1 thread");
            Report("fused", seconds, reduced + adam, "Gloo all-reduce and our own Adam pass");
        }
    }

    private static double PassSeconds(long parameters, int silos)
    {
        using var pass = new AdamPass(parameters, copies: silos, Environment.ProcessorCount);
        return Measurement.Median(Enumerable.Range(0, 6).Select(_ => pass.Seconds()).Skip(1));
    }

    private static async Task<Exchange> MeasureAsync(string folder, string fasta, string model, int silos, int threads, int steps, CancellationToken cancellation)
    {
        var output = Path.Combine(folder, "run");
        try
        {
            await using var cluster = new ConsoleCluster(Path.Combine(folder, "cache"));
            await GenSlmConsole.RunAsync(cancellation, "up", "--silos", Text(silos), "--devices", "cpu");
            await GenSlmConsole.RunAsync(cancellation,
                "submit", fasta, "--model", model, "--max-steps", Text(steps), "--val-fraction", "0", "--shards", Text(silos), "--batch-size", "1", "--accumulation-steps", "1",
                "--seq-length", "8", "--threads", Text(threads), "--output", output, "--detach");
            var before = await SettledAsync(output, WarmUpSteps, cancellation);
            await SettledAsync(output, steps, cancellation);
            var after = await ScrapeAsync(cancellation);
            var lines = Steps(output);
            // Steps that were under way while the figures were read belong to those before or after; both are read at a step's end.
            int counted = steps - before.Steps;
            double seconds = lines.Skip(before.Steps).Take(counted).Sum(line => line.Seconds!.Value);
            double computing = after.ComputingSeconds.Max(silo => silo.Value - before.Figures.ComputingSeconds.GetValueOrDefault(silo.Key));
            return new Exchange((seconds - computing) / counted, seconds / counted, (after.Bytes - before.Figures.Bytes) / counted);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>What was measured of one run.</summary>
    private sealed record Exchange(double SecondsAStep, double StepSeconds, double BytesAStep)
    {
        public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"step {StepSeconds:F3} s, of it {SecondsAStep:F3} s outside of forward and backward, {BytesAStep / 1e6:F0} MB of blocks moved");
    }

    private sealed record Figures(Dictionary<string, double> ComputingSeconds, double Bytes);

    private static async Task<(int Steps, Figures Figures)> SettledAsync(string output, int steps, CancellationToken cancellation)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (Steps(output).Count < steps) await pace.WaitForNextTickAsync(cancellation);
        var figures = await ScrapeAsync(cancellation);
        return (Steps(output).Count, figures);
    }

    private static List<MetricLine> Steps(string output)
    {
        var path = Path.Combine(output, "metrics.jsonl");
        if (!File.Exists(path)) return [];
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var reader = new StreamReader(stream);
        var text = reader.ReadToEnd();
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(MetricLine.FromJson).OfType<MetricLine>().Where(line => line.Kind == "step")];
    }

    private static async Task<Figures> ScrapeAsync(CancellationToken cancellation)
    {
        using var client = new HttpClient();
        var figures = new Figures(new Dictionary<string, double>(StringComparer.Ordinal), 0);
        foreach (var silo in StandingCluster.Find()!.LiveSilos)
        {
            var text = await client.GetStringAsync(new Uri($"http://127.0.0.1:{silo.Ports.Http}/metrics"), cancellation);
            figures.ComputingSeconds[silo.Name] = Sum(text, "genslm_micro_batch_seconds_total");
            figures = figures with { Bytes = figures.Bytes + Sum(text, "genslm_block_transfer_bytes_total") };
        }

        return figures;
    }

    private static double Sum(string text, string name) => Sample().Matches(text)
        .Where(sample => sample.Groups["name"].Value == name)
        .Sum(sample => double.Parse(sample.Groups["value"].ValueSpan, CultureInfo.InvariantCulture));

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(?<name>[a-z_]+)\{[^}]*\} (?<value>[0-9.eE+-]+)", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Sample();
}
