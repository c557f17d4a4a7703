using GenSlmOrleans.Formats;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>Parameters made from a seed beside the optimizer's pass over as many: what a run that begins without weights waits for, in steps.</summary>
internal static class SeedBench
{
    private const ulong Seed = 42;

    public static void Run(Options options)
    {
        int blockCount = options.Number("blocks", 24), rounds = options.Number("rounds", 5);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = options.Number("threads", 2) };
        var config = ModelPresets.Find("genslm_25M_patric")!;
        var blocks = Enumerable.Range(0, blockCount).Select(_ => Enumerable.Range(0, 4).Select(_ => new float[ParameterLayout.BlockLength]).ToArray()).ToArray();
        double[] seeded = new double[rounds], adam = new double[rounds];
        for (int round = -1; round < rounds; round++)
        {
            var step = AdamStep.Create(new AdamOptions(), round + 2, 1e-4, 0.5);
            double seedSeconds = Measurement.Seconds(() => Parallel.For(0, blockCount, parallel, block =>
                ParameterInitialization.Fill(config, Seed, ParameterLayout.BlockOffset(block), blocks[block][0])));
            double adamSeconds = Measurement.Seconds(() => Parallel.ForEach(blocks, parallel, block => FusedAdam.Apply(block[0], block[1], block[2], block[3], step)));
            // The first round touches the pages and compiles.
            if (round >= 0) (seeded[round], adam[round]) = (seedSeconds, adamSeconds);
        }

        double parameters = (double)blockCount * ParameterLayout.BlockLength;
        Console.WriteLine($"from a seed  {parameters / Measurement.Median(seeded) / 1e6,8:F0} million parameters/s");
        Console.WriteLine($"Adam         {parameters / Measurement.Median(adam) / 1e6,8:F0} million parameters/s");
        Console.WriteLine($"ratio {Measurement.Median(seeded.Zip(adam, (seedSeconds, adamSeconds) => seedSeconds / adamSeconds)):F1}: a seed's time over that of Adam, median of {rounds} rounds");
    }
}
