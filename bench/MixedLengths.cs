using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Bench;

/// <summary>Simulated records of 20 to 500 codons, as many from one length to its double as from there to the next: what is padded when they come as drawn is most of it.</summary>
internal static class MixedLengths
{
    // An epoch of four steps of eight micro-batches of eight: the one that warms up, and three that count.
    private const int Records = 256;
    private const int Shortest = 20;
    private const int Longest = 500;
    private const ulong Seed = 5;

    /// <summary>Writes them to a file of always the same content, and says where.</summary>
    public static string Path()
    {
        var path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"genslm-bench-{Shortest}-to-{Longest}-codons.fasta");
        File.WriteAllText(path, string.Concat(Enumerable.Range(0, Records).Select(Record)));
        return path;
    }

    private static string Record(int record)
    {
        double place = CounterRandom.Unit(Seed, RandomPurpose.Simulation, 0, (ulong)record);
        int codons = (int)(Shortest * Math.Exp(place * Math.Log((double)Longest / Shortest)));
        return $">r{record}\n{string.Create(3 * codons, record, (letters, stream) =>
        {
            for (int i = 0; i < letters.Length; i++) letters[i] = "ACGT"[CounterRandom.Below(4, Seed, RandomPurpose.Simulation, 1 + (ulong)stream, (ulong)i)];
        })}\n";
    }
}
