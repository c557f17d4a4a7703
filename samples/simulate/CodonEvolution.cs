using System.Text;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Simulate;

/// <summary>
/// Simulated coding sequences: a random open reading frame evolves along a random tree by single-nucleotide changes, in
/// which transitions are likelier than transversions (kappa) and changes of the amino acid are mostly rejected (omega),
/// after Goldman and Yang's codon model (1994). No stop codon arises; some sites evolve faster than others.
/// </summary>
public static class CodonEvolution
{
    private const string Bases = "TCAG";
    private const string AminoAcids = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG";
    private const double TransitionToTransversion = 4;
    private const double NonsynonymousAcceptance = 0.2;
    private const int ChangesPerBranch = 14;
    private const int LineWidth = 70;

    /// <summary>The sequences as FASTA text; the same for the same arguments, everywhere.</summary>
    public static string Fasta(int records, int codons, ulong seed)
    {
        var text = new StringBuilder();
        var sequences = Evolve(records, codons, seed);
        for (int i = 0; i < records; i++)
        {
            text.Append(">simulated_").Append(i.ToString("000")).Append(" simulated coding sequence, not from nature\n");
            for (int place = 0; place < sequences[i].Length; place += LineWidth)
                text.Append(sequences[i], place, Math.Min(LineWidth, sequences[i].Length - place)).Append('\n');
        }

        return text.ToString();
    }

    private static List<string> Evolve(int records, int codons, ulong seed)
    {
        var draw = new Draws(seed);
        var rates = Enumerable.Range(0, codons).Select(_ => 0.1 + (2 * draw.Unit() * draw.Unit())).ToArray();
        var population = new List<int[]> { Ancestor(codons, draw) };
        // A growing tree: each new leaf branches off a recent one, as in a seasonal virus whose old lineages die out.
        while (population.Count < records)
        {
            int parent = population.Count - 1 - draw.Below(Math.Min(population.Count, 12));
            population.Add(Mutate(population[parent], rates, draw));
        }

        return [.. population.Select(codonsOfOne => string.Concat(codonsOfOne.Select(Letters)))];
    }

    private static int[] Ancestor(int codons, Draws draw)
    {
        var sequence = new int[codons];
        for (int i = 1; i < codons - 1; i++)
        {
            do sequence[i] = draw.Below(64);
            while (IsStop(sequence[i]));
        }

        sequence[0] = CodonOf("ATG");
        sequence[^1] = CodonOf("TAA");
        return sequence;
    }

    private static int[] Mutate(int[] parent, double[] rates, Draws draw)
    {
        var child = (int[])parent.Clone();
        for (int accepted = 0; accepted < ChangesPerBranch;)
        {
            int site = 1 + draw.Below(child.Length - 2);
            if (draw.Unit() * 2.1 > rates[site]) continue;
            int position = draw.Below(3), shift = 2 * (2 - position), from = (child[site] >> shift) & 3;
            // In the order T, C, A, G the transition partner differs in the lowest bit.
            int to = draw.Unit() < TransitionToTransversion / (TransitionToTransversion + 2) ? from ^ 1 : (from ^ 2) ^ draw.Below(2);
            int codon = (child[site] & ~(3 << shift)) | (to << shift);
            if (IsStop(codon)) continue;
            if (AminoAcids[codon] != AminoAcids[child[site]] && draw.Unit() > NonsynonymousAcceptance) continue;
            child[site] = codon;
            accepted++;
        }

        return child;
    }

    private static bool IsStop(int codon) => AminoAcids[codon] == '*';

    private static int CodonOf(string letters) => (Bases.IndexOf(letters[0]) << 4) | (Bases.IndexOf(letters[1]) << 2) | Bases.IndexOf(letters[2]);

    private static string Letters(int codon) => $"{Bases[codon >> 4]}{Bases[(codon >> 2) & 3]}{Bases[codon & 3]}";

    /// <summary>One stream of random numbers, drawn in order.</summary>
    private sealed class Draws(ulong seed)
    {
        private ulong _next;

        public double Unit() => CounterRandom.Unit(seed, RandomPurpose.Simulation, 0, _next++);

        public int Below(int bound) => CounterRandom.Below(bound, seed, RandomPurpose.Simulation, 0, _next++);
    }
}
