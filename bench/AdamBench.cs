using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>The optimizer beside a plain copy that moves as many bytes.</summary>
internal static class AdamBench
{
    // Reads parameter, both moments and gradient; writes all but the gradient.
    private const int AdamSizeBytes = 28;

    // A copy reads and writes each of its bytes.
    private const int CopySizeBytes = AdamSizeBytes / 2;

    public static void Run(Options options, Results results)
    {
        int blockCount = options.Number("blocks", 64), rounds = options.Number("rounds", 11);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Number("threads", 2) };
        var blocks = Enumerable.Range(0, blockCount).Select(_ => new Block()).ToArray();
        double[] adam = new double[rounds], copy = new double[rounds];
        for (int round = -1; round < rounds; round++)
        {
            var step = AdamStep.Create(new AdamOptions(), round + 2, 1e-4, 0.5);
            double adamSeconds = Measurement.Seconds(() => Parallel.ForEach(blocks, parallel, block =>
                FusedAdam.Apply(block.Parameters, block.FirstMoment, block.SecondMoment, block.Gradient, step)));
            double copySeconds = Measurement.Seconds(() => Parallel.ForEach(blocks, parallel, block => Copy(block.Source, block)));
            // The first round touches the pages and compiles.
            if (round >= 0) (adam[round], copy[round]) = (adamSeconds, copySeconds);
        }

        double parameters = (double)blockCount * ParameterLayout.BlockLength;
        Report("Adam", Measurement.Median(adam));
        Report("copy", Measurement.Median(copy));
        double ratio = Measurement.Median(adam.Zip(copy, (adamSeconds, copySeconds) => copySeconds / adamSeconds));
        double copySpeed = parameters * AdamSizeBytes / Measurement.Median(copy) / 1e9;
        results.Add(new BenchResult("adam", $"{parameters / 1e6:F0} M parameters, median of {rounds} rounds, {parallel.MaxDegreeOfParallelism} threads", ratio * copySpeed, copySpeed, "GB/s", "a copy of as many bytes", Bar.AtLeast(0.8)));

        void Report(string name, double seconds) =>
            Console.WriteLine($"{name}  {parameters / seconds / 1e6,8:F0} million parameters/s  {parameters * AdamSizeBytes / seconds / 1e9,6:F1} GB/s");
    }

    // Stores past the caches: a plain store would first read the line it overwrites, which Adam does not, having read it.
    private static unsafe void Copy(ReadOnlySpan<byte> source, Block destination)
    {
        ref byte from = ref MemoryMarshal.GetReference(source);
        byte* to = destination.Destination;
        for (nuint i = 0; i < (nuint)source.Length; i += (nuint)Vector256<byte>.Count)
            Vector256.LoadUnsafe(ref from, i).StoreAlignedNonTemporal(to + i);
    }

    private sealed class Block
    {
        private const int LineSizeBytes = 64;

        private readonly byte[] _destination = GC.AllocateArray<byte>((ParameterLayout.BlockLength * CopySizeBytes) + LineSizeBytes, pinned: true);

        public Block()
        {
            var random = new Random(1);
            foreach (var vector in new[] { Parameters, Gradient })
                for (int i = 0; i < vector.Length; i++) vector[i] = random.NextSingle() - 0.5f;
            Array.Fill(Source, (byte)1);
        }

        public float[] Parameters { get; } = new float[ParameterLayout.BlockLength];

        public float[] FirstMoment { get; } = new float[ParameterLayout.BlockLength];

        public float[] SecondMoment { get; } = new float[ParameterLayout.BlockLength];

        public float[] Gradient { get; } = new float[ParameterLayout.BlockLength];

        public byte[] Source { get; } = new byte[ParameterLayout.BlockLength * CopySizeBytes];

        /// <summary>Begins at a cache line, as stores past the caches need.</summary>
        public unsafe byte* Destination => (byte*)(((nuint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(_destination)) + LineSizeBytes - 1) & ~(nuint)(LineSizeBytes - 1));
    }
}
