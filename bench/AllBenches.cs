namespace GenSlmOrleans.Bench;

/// <summary>All benches that have a bar, one after the other, into one table.</summary>
internal static class AllBenches
{
    /// <summary>Benches by name, in the order in which they run, with the options each is run with for the table.</summary>
    private static readonly (string Name, string[] Options)[] s_benches =
    [
        ("adam", []),
        ("path", ["--rounds", "5"]),
        ("path", ["--rounds", "5", "--model", "genslm_250M_patric"]),
        ("exchange", ["--rounds", "5"]),
        ("exchange", ["--rounds", "5", "--model", "genslm_250M_patric"]),
        ("channel", []),
        ("link", []),
        ("bytes", []),
        ("scaling", []),
        ("overhead", ["--rounds", "5"]),
        ("overhead", ["--rounds", "5", "--model", "genslm_250M_patric", "--accumulation-steps", "2"]),
        ("bf16", []),
        ("padding", []),
        ("script", []),
        ("validation", []),
        ("checkpoint", []),
        ("allocation", []),
        ("allocation", ["--model", "genslm_250M_patric", "--steps", "20"]),
        ("goodput", []),
    ];

    /// <summary>Runs one that has a bar; false when it is none.</summary>
    public static async Task<bool> TryRunAsync(string? name, string[] arguments, Results results)
    {
        Task? run = name switch
        {
            "adam" => RunAdam(),
            "path" => ExchangeBench.RunAsync(With("fasta", "model", "rounds", "steps", "warm-up"), silos: 1, results),
            "exchange" => ExchangeBench.RunAsync(With("fasta", "model", "rounds", "steps", "warm-up"), silos: 2, results),
            "channel" => ChannelBench.RunAsync(With("model", "rounds", "passes"), results),
            "link" => LinkBench.RunAsync(With("fasta", "model", "rounds", "steps", "short-steps", "seq-length", "megabits", "exchange"), results),
            "bytes" => BytesBench.RunAsync(With("fasta", "model", "steps", "silos"), results),
            "scaling" => ScalingBench.RunScalingAsync(With("fasta", "model", "rounds", "steps", "seq-length"), results),
            "script" => ScalingBench.RunScriptAsync(With("fasta", "model", "rounds", "steps"), results),
            "overhead" => OverheadBench.RunAsync(With("fasta", "model", "rounds", "steps", "threads", "accumulation-steps"), results),
            "bf16" => SettingBench.Bf16.RunAsync(With("fasta", "model", "rounds", "steps"), results),
            "padding" => RunPaddingAsync(With("fasta", "model", "rounds", "steps")),
            "validation" => ValidationBench.RunAsync(With("fasta", "model", "rounds", "records", "val-batch-size", "validations"), results),
            "checkpoint" => CheckpointBench.RunAsync(With("fasta", "model", "steps", "checkpoints"), results),
            "allocation" => AllocationBench.RunAsync(With("fasta", "model", "steps", "silos"), results),
            "goodput" => GoodputBench.RunAsync(With("fasta", "model", "duration", "kill-every"), results),
            _ => null,
        };
        if (run is null) return false;
        await run;
        return true;

        Options With(params string[] names) => new(arguments, names);

        async Task RunPaddingAsync(Options options)
        {
            await SettingBench.Padding.RunAsync(options, results);
            await SettingBench.Buckets.RunAsync(options, results);
        }

        Task RunAdam()
        {
            AdamBench.Run(With("blocks", "threads", "rounds"), results);
            return Task.CompletedTask;
        }
    }

    /// <summary>Runs all and writes the table.</summary>
    /// <param name="options"><c>--only NAME</c>: just the benches of that name; <c>--output FOLDER</c>: where the table goes.</param>
    public static async Task RunAsync(Options options)
    {
        var only = options.Text("only");
        if (only is not null && !s_benches.Any(bench => bench.Name == only))
            throw new UsageException($"--only is '{only}'; expected one of {string.Join(", ", s_benches.Select(bench => bench.Name).Distinct())}.");
        var results = new Results();
        foreach (var (name, arguments) in s_benches)
            if (only is null || only == name) await TryRunAsync(name, arguments, results);
        results.Write(options.Text("output") ?? Measurement.InCheckout("bench/results"));
    }
}
