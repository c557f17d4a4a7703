using System.Diagnostics;
using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Bench;

/// <summary>
/// Memory that silos have at most in a real training, beside what was foretold (<see cref="RunMemory"/>), and the same of
/// one micro-batch in a process of its own (<see cref="ActivationMemory"/>).
/// </summary>
internal static class MemoryBench
{
    /// <summary>The bench under which <see cref="MeasureMicroBatch"/> is called.</summary>
    public const string Child = "memory-micro-batch";

    private static readonly TimeSpan SamplePeriod = TimeSpan.FromMilliseconds(20);

    private static readonly Shape[] MicroBatches =
    [
        new(2, 8), new(2, 512), new(1, 2048), new(2, 1024, Precision.Bf16), new(2, 1024, PadTokens: PadCounting.Count),
        new(8, 1024, Evaluates: true), new(16, 512, Precision.Bf16, Evaluates: true), new(8, 512, PadTokens: PadCounting.Count, Evaluates: true),
    ];

    public static async Task RunAsync(Options options)
    {
        if (!OperatingSystem.IsLinux()) throw new UsageException("The kernel's own figures are read, as Linux gives them.");
        var model = options.Text("model") ?? "genslm_25M_patric";
        var config = Measurement.Preset(model);
        if (options.Text("micro-batches") != "none")
            foreach (var shape in MicroBatches) ReportMicroBatch(model, config, shape);
        foreach (int silos in Enumerable.Range(1, options.Number("silos", 2))) await ReportRunAsync(model, config, silos, options);
    }

    /// <summary>The child: prints by how many bytes one forward and backward, or an evaluation, raise the resident memory.</summary>
    public static void MeasureMicroBatch(string[] arguments)
    {
        int Number(int place) => int.Parse(arguments[place], CultureInfo.InvariantCulture);
        var precision = Enum.Parse<ComputePrecision>(arguments[4]);
        using var replica = new Replica(ModelPresets.Find(arguments[1])!, "cpu", precision, Enum.Parse<PadTokens>(arguments[5]));
        var gradient = replica.RentGradient();
        // Kernels are loaded, and pages of parameters and gradients touched, by one that is short.
        replica.Accumulate(Batch(1, 8), 1, gradient);
        TorchSharp.torch.set_num_threads(1);
        File.WriteAllText("/proc/self/clear_refs", "5");
        long before = Status("self", "VmRSS");
        var batch = Batch(Number(2), Number(3));
        if (bool.Parse(arguments[6])) replica.Evaluate(batch);
        else replica.Accumulate(batch, 1, gradient);
        Console.WriteLine((Status("self", "VmHWM") - before).ToString(CultureInfo.InvariantCulture));
    }

    private static MicroBatch Batch(int records, int columns)
    {
        var ids = Enumerable.Range(0, records * columns).Select(place => (byte)(3 + (place % 60))).ToArray();
        // One shorter than the rest, so that padding is masked where it counts.
        return new MicroBatch(records, columns, ids, [.. Enumerable.Range(0, records).Select(record => record == 0 ? columns : columns - 1)]);
    }

    private static void ReportMicroBatch(string model, HuggingFaceConfig config, Shape shape)
    {
        // Where a batch of validation is as large as one of training, that of training is what counts.
        var spec = new RunSpec { Model = model, BatchSize = shape.Evaluates ? 1 : shape.Records, ValBatchSize = shape.Records, SeqLength = shape.Columns, Precision = shape.Precision, PadTokens = shape.PadTokens };
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true, UseShellExecute = false };
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet") start.ArgumentList.Add(typeof(MemoryBench).Assembly.Location);
        foreach (var argument in (string[])[Child, model, $"{shape.Records}", $"{shape.Columns}", $"{shape.Precision}", $"{shape.PadTokens}", $"{shape.Evaluates}"]) start.ArgumentList.Add(argument);
        using var process = Process.Start(start)!;
        long found = long.Parse(process.StandardOutput.ReadToEnd(), CultureInfo.InvariantCulture);
        Report($"{(shape.Evaluates ? "batch of validation" : "micro-batch")} of {shape.Records} × {shape.Columns} tokens, {shape.Precision}, pads {shape.PadTokens}", found, ActivationMemory.Bytes(config, spec, shape.Columns));
    }

    private sealed record Shape(int Records, int Columns, Precision Precision = Precision.Fp32, PadCounting PadTokens = PadCounting.Ignore, bool Evaluates = false);

    private static async Task ReportRunAsync(string model, HuggingFaceConfig config, int silos, Options options)
    {
        var folder = Directory.CreateTempSubdirectory("genslm-bench-").FullName;
        try
        {
            int sequence = options.Number("seq-length", 8), batch = options.Number("batch-size", 1);
            string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
            using var console = GenSlmConsole.Start(
                "train", options.Text("fasta") ?? Measurement.DefaultFasta(), "--model", model, "--silos", Text(silos), "--shards", Text(silos), "--threads", "1",
                "--seq-length", Text(sequence), "--batch-size", Text(batch), "--accumulation-steps", "1", "--max-steps", Text(options.Number("steps", 3)),
                "--limit-val-batches", "2", "--output", Path.Combine(folder, "run"));
            var output = console.StandardOutput.ReadToEndAsync();
            var errors = console.StandardError.ReadToEndAsync();
            var peaks = await PeaksAsync(console);
            if (console.ExitCode != 0) throw new InvalidOperationException($"The training ended with code {console.ExitCode}.\n{await output}{await errors}");
            var spec = new RunSpec { Model = model, Shards = silos, SeqLength = sequence, BatchSize = batch };
            var need = new RunMemory(spec, config, longestRecord: 0).On(silos, cpuDevices: 1);
            foreach (long peak in peaks.Values) Report($"{model}, silo of {silos}", peak, need.TrainingBytes);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"  of that, in MB: program {need.Process / 1e6:F0}, replica {need.Replica / 1e6:F0}, a micro-batch {need.Activations / 1e6:F0}, gradients {need.GradientSums / 1e6:F0}, partitions {need.Partitions / 1e6:F0}, sums that wait {need.WaitingSums / 1e6:F0}, on their way {need.Transfer / 1e6:F0}; besides, for a checkpoint at most {need.Snapshot / 1e6:F0}"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // The highest mark of each silo, as long as it lived.
    private static async Task<Dictionary<int, long>> PeaksAsync(Process console)
    {
        var peaks = new Dictionary<int, long>();
        using var pace = new PeriodicTimer(SamplePeriod);
        while (!console.HasExited)
        {
            foreach (int silo in Children(console.Id))
            {
                try
                {
                    peaks[silo] = Status($"{silo}", "VmHWM");
                }
                catch (Exception exception) when (exception is IOException or InvalidOperationException)
                {
                    // It has ended since it was found.
                }
            }

            await pace.WaitForNextTickAsync();
        }

        return peaks;
    }

    // Each thread has those that it started.
    private static int[] Children(int parent)
    {
        try
        {
            return [.. Directory.EnumerateDirectories($"/proc/{parent}/task")
                .SelectMany(thread => File.ReadAllText($"{thread}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries))
                .Select(id => int.Parse(id, CultureInfo.InvariantCulture))
                .Where(id => File.ReadAllText($"/proc/{id}/cmdline").Contains("GenSlmOrleans.Silo", StringComparison.Ordinal))];
        }
        catch (IOException)
        {
            // One has ended meanwhile; the next look finds the others.
            return [];
        }
    }

    private static void Report(string what, long found, long foretold) => Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{what,-60} resident {found / 1e6,7:F0} MB  foretold {foretold / 1e6,7:F0} MB  ratio {(double)found / foretold:F3}"));

    private static long Status(string process, string key)
    {
        var line = File.ReadLines($"/proc/{process}/status").First(line => line.StartsWith(key + ":", StringComparison.Ordinal));
        return long.Parse(line.AsSpan(key.Length + 1).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
    }
}
