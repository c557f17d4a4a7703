using System.Runtime.InteropServices;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Bench;

/// <summary>Loading and saving a model's weights beside reading and writing a plain file of the same bytes, and the memory that it takes.</summary>
internal static class WeightsBench
{
    // As a block of the cluster: the unit in which weights reach the parameter servers.
    private const int PieceLength = 1 << 20;

    private static readonly string[] s_names = ["weights.safetensors", "weights.pth"];

    public static void Run(Options options)
    {
        var name = options.Text("model") ?? "genslm_250M_patric";
        var config = Measurement.Preset(name);
        int rounds = options.Number("rounds", 5);
        var tensors = GptNeoXStateDict.Describe(config);
        var values = new float[checked((int)GptNeoXStateDict.ParameterCount(config))];
        var random = new Random(1);
        for (int i = 0; i < values.Length; i++) values[i] = random.NextSingle() - 0.5f;
        var parent = options.Text("folder") ?? Path.GetTempPath();
        if (!Directory.Exists(parent)) throw new UsageException($"The folder {parent} does not exist.");
        var folder = Directory.CreateDirectory(Path.Combine(parent, $"genslm-bench-{Guid.NewGuid():N}")).FullName;
        try
        {
            Console.WriteLine($"{name}: {values.Length:N0} parameters, {values.Length * 4 / 1e9:F2} GB; median of {rounds} rounds");
            var plain = Path.Combine(folder, "plain");
            Save(rounds, values, tensors, folder, plain);
            Load(rounds, values, config, folder, plain);
            PeakMemory.Report(folder, name, s_names);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Save(int rounds, float[] values, IReadOnlyList<TensorDescription> tensors, string folder, string plain)
    {
        var seconds = Alternate(
            rounds,
            () => WritePlain(plain, values),
            [.. s_names.Select(name => (Action)(() => WriteWeights(Path.Combine(folder, name), values, tensors)))]);
        Report("save", "written and flushed to the disk", values.Length, seconds);
    }

    private static void Load(int rounds, float[] values, HuggingFaceConfig config, string folder, string plain)
    {
        var destination = new float[values.Length];
        var seconds = Alternate(
            rounds,
            () => ReadPlain(plain, destination),
            [.. s_names.Select(name => (Action)(() => ReadWeights(Path.Combine(folder, name), config, destination)))]);
        if (!destination.AsSpan().SequenceEqual(values)) throw new InvalidOperationException("What was loaded is not what was saved.");
        Report("load", "from the page cache, where the plain read is fastest", values.Length, seconds);
    }

    // By turns, so that whatever else the machine does hits both sides. The first round touches pages and compiles.
    private static double[][] Alternate(int rounds, Action plain, Action[] ours)
    {
        var seconds = ours.Select(_ => new double[rounds]).Prepend(new double[rounds]).ToArray();
        for (int round = -1; round < rounds; round++)
        {
            // Who begins changes: a disk is fast until its cache is full.
            for (int turn = 0; turn < seconds.Length; turn++)
            {
                int i = (turn + round + 1) % seconds.Length;
                double taken = Measurement.Seconds(i == 0 ? plain : ours[i - 1]);
                if (round >= 0) seconds[i][round] = taken;
            }
        }

        return seconds;
    }

    private static void Report(string what, string how, long count, double[][] seconds)
    {
        double plain = Measurement.Median(seconds[0]);
        Console.WriteLine($"{what}  plain file           {count * 4 / plain / 1e9,6:F2} GB/s  {how}");
        for (int i = 0; i < s_names.Length; i++)
        {
            double ratio = Measurement.Median(seconds[0].Zip(seconds[i + 1], (plainSeconds, ourSeconds) => plainSeconds / ourSeconds));
            Console.WriteLine($"{what}  {s_names[i],-20} {count * 4 / Measurement.Median(seconds[i + 1]) / 1e9,6:F2} GB/s  ratio {ratio:F2}");
        }
    }

    private static void WritePlain(string path, float[] values)
    {
        File.Delete(path);
        using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        for (int done = 0; done < values.Length; done += PieceLength)
            stream.Write(MemoryMarshal.AsBytes(values.AsSpan(done, Math.Min(PieceLength, values.Length - done))));
        stream.Flush(flushToDisk: true);
    }

    private static void WriteWeights(string path, float[] values, IReadOnlyList<TensorDescription> tensors)
    {
        File.Delete(path);
        AtomicFile.Write(path, stream =>
        {
            using WeightWriter writer = path.EndsWith(".pth", StringComparison.Ordinal)
                ? new TorchArchiveWriter(stream, Path.GetFileNameWithoutExtension(path), tensors)
                : new SafetensorsWriter(stream, tensors);
            for (int done = 0; done < values.Length; done += PieceLength) writer.Write(values.AsSpan(done, Math.Min(PieceLength, values.Length - done)));
            writer.Complete();
        });
    }

    private static void ReadPlain(string path, float[] destination)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        for (int done = 0; done < destination.Length; done += PieceLength)
            stream.ReadExactly(MemoryMarshal.AsBytes(destination.AsSpan(done, Math.Min(PieceLength, destination.Length - done))));
    }

    private static void ReadWeights(string path, HuggingFaceConfig config, float[] destination)
    {
        using var vector = FlatVector.OpenParameters(path, config);
        for (int done = 0; done < destination.Length; done += PieceLength)
            vector.Read(done, destination.AsSpan(done, Math.Min(PieceLength, destination.Length - done)));
    }
}
