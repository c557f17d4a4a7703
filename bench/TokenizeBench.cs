using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Bench;

/// <summary>Building a token store beside merely reading the file.</summary>
internal static class TokenizeBench
{
    // As FastaReader's.
    private const int BufferSizeBytes = 1 << 18;

    public static void Run(Options options)
    {
        long size = (long)options.Number("megabytes", 256) << 20;
        int rounds = options.Number("rounds", 5);
        var folder = Directory.CreateTempSubdirectory("genslm-bench-").FullName;
        try
        {
            var fasta = Path.Combine(folder, "sequences.fasta");
            size = Generate(fasta, size);
            double[] build = new double[rounds], read = new double[rounds];
            for (int round = -1; round < rounds; round++)
            {
                var cache = Path.Combine(folder, $"cache{round}");
                double buildSeconds = Measurement.Seconds(() => TokenStoreBuilder.OpenOrBuild(fasta, cache).Dispose());
                double readSeconds = Measurement.Seconds(() => Read(fasta));
                Directory.Delete(cache, recursive: true);
                // The first round compiles and fills the page cache.
                if (round >= 0) (build[round], read[round]) = (buildSeconds, readSeconds);
            }

            Report("build", Measurement.Median(build));
            Report("read ", Measurement.Median(read));
            Console.WriteLine($"ratio {Measurement.Median(read.Zip(build, (readSeconds, buildSeconds) => readSeconds / buildSeconds)):F2}: speed of building over that of reading, median of {rounds} rounds");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }

        void Report(string name, double seconds) => Console.WriteLine($"{name}  {size / seconds / 1e6,8:F0} MB/s");
    }

    /// <summary>The sample over and over, each record under a name of its own; returns the file's size.</summary>
    private static long Generate(string path, long size)
    {
        var lines = File.ReadAllLines(Measurement.SampleFasta());
        using var writer = new StreamWriter(path) { NewLine = "\n" };
        long written = 0;
        for (int copy = 0; written < size; copy++)
        {
            foreach (var line in lines)
            {
                var text = line.StartsWith('>') ? $">copy{copy}_{line.AsSpan(1)}" : line;
                writer.WriteLine(text);
                written += text.Length + 1;
            }
        }

        writer.Flush();
        return writer.BaseStream.Length;
    }

    private static void Read(string path)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 1);
        var buffer = new byte[BufferSizeBytes];
        while (stream.Read(buffer) > 0)
        {
        }
    }
}
