using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>Real tokens per second on one silo with a setting, beside those without it, in turns. Padding is no real token.</summary>
/// <param name="Name">Of the bench.</param>
/// <param name="Ours">The setting.</param>
/// <param name="Beside">What it is compared with.</param>
/// <param name="Bar">How much faster it has to be.</param>
internal sealed record SettingBench(string Name, string[] Ours, string[] Beside, Bar Bar)
{
    private const int WarmUpSteps = 1;

    public static SettingBench Bf16 { get; } = new("bf16", ["--precision", "bf16"], ["--precision", "fp32"], Bar.AtLeast(1.8));

    public static SettingBench Padding { get; } = new("padding", ["--padding", "longest"], ["--padding", "max_length"], Bar.AtLeast(4));

    /// <summary>On records of mixed lengths. With windows of many micro-batches, since the tokens of one are very different from those of the next.</summary>
    public static SettingBench Buckets { get; } = new("padding", ["--bucket-by-length", "true"], ["--bucket-by-length", "false"], Bar.AtLeast(1.5))
    {
        Batches = ["--batch-size", "8", "--accumulation-steps", "8"],
        Data = MixedLengths.Path,
    };

    /// <summary>How many records and micro-batches a step has.</summary>
    public string[] Batches { get; init; } = ["--batch-size", "2", "--accumulation-steps", "2"];

    /// <summary>Finds the data, where no option names any.</summary>
    public Func<string> Data { get; init; } = Measurement.DefaultFasta;

    public async Task RunAsync(Options options, Results results)
    {
        int rounds = options.Number("rounds", 5), steps = options.Number("steps", 3);
        var model = options.Model();
        var fasta = options.Text("fasta") ?? Data();
        using var interrupts = new Interrupts();
        var (ours, beside) = (new List<double>(), new List<double>());
        for (int round = 1; round <= rounds; round++)
        {
            ours.Add(await SpeedAsync(Ours));
            beside.Add(await SpeedAsync(Beside));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}  {string.Join(' ', Ours)} {ours[^1]:F1} tokens/s  {string.Join(' ', Beside)} {beside[^1]:F1} tokens/s"));
        }

        results.Add(new BenchResult(Name, $"{model}, 1 silo, {string.Join(' ', Ours)}, medians of {rounds} rounds of {steps} steps", Measurement.Median(ours), Measurement.Median(beside), "tokens/s", string.Join(' ', Beside), Bar));

        async Task<double> SpeedAsync(string[] setting) => (await MeasuredRun.TakeAsync(silos: 1, WarmUpSteps, WarmUpSteps + steps, interrupts.Token,
            [fasta, "--model", model, "--val-fraction", "0", .. Batches, .. setting])).Speed;
    }
}
