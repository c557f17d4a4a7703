using GenSlmOrleans.Bench;

const string Usage = "Expected 'bench adam', 'bench tokenize', 'bench overhead', 'bench determinism', 'bench control', 'bench elastic', 'bench path', 'bench exchange', 'bench starts', 'bench weights', 'bench memory' or 'bench fuzz', each with options as bench/README.md lists them.";
try
{
    switch (args.FirstOrDefault())
    {
        case "adam":
            AdamBench.Run(new Options(args.AsSpan(1), "blocks", "threads", "rounds"));
            return 0;
        case "tokenize":
            TokenizeBench.Run(new Options(args.AsSpan(1), "megabytes", "rounds"));
            return 0;
        case "weights":
            WeightsBench.Run(new Options(args.AsSpan(1), "model", "rounds", "folder"));
            return 0;
        case "fuzz":
            return FuzzBench.Run(new Options(args.AsSpan(1), "cases", "seed", "target", "case"));
        case "memory":
            await MemoryBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "silos", "steps", "seq-length", "batch-size", "micro-batches"));
            return 0;
        case MemoryBench.Child when args.Length == 6:
            MemoryBench.MeasureMicroBatch(args);
            return 0;
        case PeakMemory.Child when args.Length == 4:
            PeakMemory.Measure(args[1], args[2], args[3]);
            return 0;
        case "overhead":
            await OverheadBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "rounds", "steps", "threads"));
            return 0;
        case "determinism":
            await DeterminismBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "rounds", "shards", "devices", "accumulation-steps", "seq-length"));
            return 0;
        case "control":
            return await ControlBench.RunAsync(new Options(args.AsSpan(1), "rounds", "steps", "sites", "model"));
        case "elastic":
            await ElasticBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "threads", "steps", "total-steps", "seq-length", "output"));
            return 0;
        case "path":
            await ExchangeBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "rounds", "steps"), silos: 1);
            return 0;
        case "exchange":
            await ExchangeBench.RunAsync(new Options(args.AsSpan(1), "fasta", "model", "rounds", "steps"), silos: 2);
            return 0;
        case "starts":
            return await StartsBench.RunAsync(new Options(args.AsSpan(1), "only", "times", "model", "fasta"));
        case null:
            throw new UsageException($"No bench is named. {Usage}");
        case var unknown:
            throw new UsageException($"There is no bench '{unknown}'. {Usage}");
    }
}
catch (UsageException exception)
{
    await Console.Error.WriteLineAsync(exception.Message);
    return 2;
}
catch (OperationCanceledException)
{
    // Ctrl-C, in a bench that has ended its processes first.
    return 130;
}
