using GenSlmOrleans.Bench;
using GenSlmOrleans.Client;

const string Usage = "Expected 'bench all', or one of adam, path, exchange, channel, link, bytes, scaling, overhead, bf16, padding, script, validation, checkpoint, allocation, goodput, tokenize, determinism, control, seed, elastic, starts, weights, memory, gpu and fuzz, each with options as bench/README.md lists them.";
try
{
    if (await AllBenches.TryRunAsync(args.FirstOrDefault(), [.. args.Skip(1)], new Results())) return 0;
    switch (args.FirstOrDefault())
    {
        case "all":
            await AllBenches.RunAsync(new Options(args.AsSpan(1), "only", "output"));
            return 0;
        case "tokenize":
            TokenizeBench.Run(new Options(args.AsSpan(1), "megabytes", "rounds"));
            return 0;
        case "weights":
            WeightsBench.Run(new Options(args.AsSpan(1), "model", "rounds", "folder"));
            return 0;
        case "fuzz":
            return FuzzBench.Run(new Options(args.AsSpan(1), "cases", "seed", "target", "case"));
        case "gpu":
            GpuBench.Run(new Options(args.AsSpan(1), "device", "model", "columns", "batch-size", "rounds", "backwards"), new Results());
            return 0;
        case "memory":
            await MemoryBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "silos", "steps", "seq-length", "batch-size", "micro-batches"));
            return 0;
        case MemoryBench.Child when args.Length == 7:
            MemoryBench.MeasureMicroBatch(args);
            return 0;
        case PeakMemory.Child when args.Length == 4:
            PeakMemory.Measure(args[1], args[2], args[3]);
            return 0;
        case "determinism":
            await DeterminismBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "rounds", "shards", "devices", "accumulation-steps", "seq-length"));
            return 0;
        case "control":
            return await ControlBench.RunAsync(new Options(args.AsSpan(1), "rounds", "steps", "sites", "model"));
        case "seed":
            SeedBench.Run(new Options(args.AsSpan(1), "blocks", "rounds", "threads"));
            return 0;
        case "elastic":
            await ElasticBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "threads", "steps", "total-steps", "seq-length", "output"));
            return 0;
        case "starts":
            return await StartsBench.RunAsync(new Options(args.AsSpan(1), "only", "times", "model", "fasta"));
        case null:
            throw new UsageException($"No bench is named. {Usage}");
        case var unknown:
            throw new UsageException($"There is no bench '{unknown}'. {Usage}");
    }
}
catch (Exception exception) when (ConsoleApplication.SentenceOf(exception) is { } sentence)
{
    await Console.Error.WriteLineAsync(sentence.Text);
    return sentence.ExitCode;
}
catch (OperationCanceledException)
{
    // Ctrl-C, in a bench that has ended its processes first.
    return 130;
}
