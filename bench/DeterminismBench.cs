using System.Collections.Immutable;
using System.Diagnostics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>What equal bits cost: the same training with gradients added along the fixed tree, and in whatever order they come.</summary>
internal static class DeterminismBench
{
    // The two add the same numbers in another order: more than rounding between their losses means that one is wrong.
    private const double LossTolerance = 1e-4;

    public static async Task RunAsync(Options options)
    {
        int rounds = options.Number("rounds", 5), deviceCount = options.Number("devices", 2), shardCount = options.Number("shards", 6);
        if (shardCount < deviceCount) throw new UsageException($"--shards is {shardCount}; expected at least one for each of {deviceCount} devices.");
        var name = options.Text("model") ?? "genslm_25M_patric";
        var config = Measurement.Preset(name);
        var fasta = options.Text("fasta") ?? Measurement.DefaultFasta();
        if (!File.Exists(fasta)) throw new UsageException($"{fasta} does not exist; expected a FASTA file.");
        var spec = new RunSpec
        {
            Data = fasta,
            Model = name,
            Shards = shardCount,
            AccumulationSteps = options.Number("accumulation-steps", 10),
            SeqLength = options.Number("seq-length", 256),
            ValFraction = 0,
            // One for libraries to load and pages to be touched.
            MaxSteps = rounds + 1,
            Epochs = rounds + 1,
        };
        var shares = ShardPlacement.Shares(shardCount, [.. Enumerable.Range(0, deviceCount).Select(i => new DeviceName($"silo-{i}", "cpu"))])
            .Select(share => new ShardRange(share.FirstShard, share.EndShard)).ToImmutableArray();
        var cache = Directory.CreateTempSubdirectory("genslm-bench-").FullName;
        try
        {
            using var store = TokenStoreBuilder.OpenOrBuild(fasta, cache);
            var plan = new RunPlan(spec, config, store.Sets);
            await using var tree = await TreeSummation.CreateAsync(plan, store, shares);
            await using var free = await FreeSummation.CreateAsync(plan, store, shares);
            await CompareAsync(plan, tree, free, rounds, deviceCount);
        }
        finally
        {
            Directory.Delete(cache, recursive: true);
        }
    }

    private static async Task CompareAsync(RunPlan plan, TreeSummation tree, FreeSummation free, int rounds, int deviceCount)
    {
        var wall = new List<double>();
        var processor = new List<double>();
        double bestTree = 0, bestFree = 0;
        for (int step = 1; step <= rounds + 1; step++)
        {
            // Turn about, for the second finds other caches than the first.
            var treeFirst = step % 2 == 0;
            var one = await MeasureAsync(treeFirst ? tree : free, step);
            var other = await MeasureAsync(treeFirst ? free : tree, step);
            var (ofTree, ofFree) = treeFirst ? (one, other) : (other, one);
            Check(step, ofTree.Step, ofFree.Step);
            if (step == 1) continue;
            wall.Add(ofFree.Seconds / ofTree.Seconds);
            processor.Add(ofFree.ProcessorSeconds / ofTree.ProcessorSeconds);
            (bestTree, bestFree) = (Math.Max(bestTree, ofTree.Speed), Math.Max(bestFree, ofFree.Speed));
            Console.WriteLine($"round {step - 1}  tree {ofTree.Speed,8:F1} tokens/s  free {ofFree.Speed,8:F1} tokens/s  ratio {wall[^1]:F3}  processor {processor[^1]:F3}");
        }

        Console.WriteLine($"fastest  tree {bestTree,8:F1} tokens/s  free {bestFree,8:F1} tokens/s  ratio {bestTree / bestFree:F3}");
        Console.WriteLine($"processor time  ratio {Measurement.Median(processor):F3}: the free order's over the tree's, median");
        foreach (var path in (ISummationPath[])[tree, free]) Report(plan, path);
        Console.WriteLine($"largest difference of a parameter after {rounds + 1} steps at rate {plan.Spec.LearningRate:G1}: {await DifferenceAsync(plan, tree, free, rounds + 1):G2}");
        Console.WriteLine($"ratio {Measurement.Median(wall):F3}: the tree's tokens per second over those of the free order, median of {rounds} rounds; {plan.Spec.Model}, {plan.Spec.Shards} shards on {deviceCount} devices of {plan.Spec.Threads} thread, {plan.Spec.AccumulationSteps} micro-batches of {plan.Spec.BatchSize} records cut to {plan.SequenceLimit} tokens");
    }

    private static async Task<Measured> MeasureAsync(ISummationPath path, long step)
    {
        using var process = Process.GetCurrentProcess();
        var before = process.TotalProcessorTime;
        long start = Stopwatch.GetTimestamp();
        var summed = await path.StepAsync(step);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        process.Refresh();
        return new Measured(summed, seconds, (process.TotalProcessorTime - before).TotalSeconds);
    }

    private static void Check(long step, SummedStep tree, SummedStep free)
    {
        if (tree.Tokens != free.Tokens || Math.Abs(tree.Loss - free.Loss) > LossTolerance * Math.Abs(free.Loss))
            throw new InvalidOperationException($"Step {step}: the tree took {tree.Tokens} tokens to a loss of {tree.Loss:R}, the free order {free.Tokens} to {free.Loss:R}.");
    }

    private static void Report(RunPlan plan, ISummationPath path)
    {
        double size = plan.Layout.ParameterCount * sizeof(float) / 1e6;
        Console.WriteLine($"gradients held  {path.Name}  device {path.DeviceBuffers} ({path.DeviceBuffers * size:F0} MB)  partition {path.PartitionBuffers} ({path.PartitionBuffers * size:F0} MB), at most, each of the whole model");
    }

    private static async Task<float> DifferenceAsync(RunPlan plan, ISummationPath tree, ISummationPath free, long version)
    {
        float largest = 0;
        float[] left = new float[ParameterLayout.BlockLength], right = new float[ParameterLayout.BlockLength];
        for (int block = 0; block < plan.Layout.BlockCount; block++)
        {
            int length = plan.Layout.BlockSize(block);
            await tree.ReadAsync(block, version, left.AsMemory(0, length));
            await free.ReadAsync(block, version, right.AsMemory(0, length));
            for (int i = 0; i < length; i++) largest = Math.Max(largest, Math.Abs(left[i] - right[i]));
        }

        return largest;
    }

    private readonly record struct Measured(SummedStep Step, double Seconds, double ProcessorSeconds)
    {
        public double Speed => Step.Tokens / Seconds;
    }
}
