using System.Collections.Immutable;

namespace GenSlmOrleans.Genomics;

/// <summary>GenSLM's vocabulary (<c>codon_wordlevel_69vocab.json</c>): five special tokens and the 64 codons, in its order.</summary>
public static class CodonVocabulary
{
    public const int Size = 69;

    /// <summary>[UNK]: whatever is not a codon of A, C, G and T.</summary>
    public const byte UnknownId = 0;

    /// <summary>[PAD].</summary>
    public const byte PadId = 3;

    // The last of the ids that are no codons.
    private const byte MaskId = 4;
    private const byte NotABase = 0xff;

    /// <summary>The words by id.</summary>
    public static ImmutableArray<string> Words { get; } = [.. (
        "[UNK] [CLS] [SEP] [PAD] [MASK] GGC GCC ATC GAC GAA ATG GTG CTG GTC GCG GAT AAA GGT AAG GAG ACC AAC GTT ATT GCA " +
        "CTC CGC GCT CAG CCG TTC GTA TCG GGA AAT TAC CTT TTG ACG TCC GGG AGC CCC ACA ACT TCT TTA CGT TAT CAA CGG TTT " +
        "CAC CCT CCA TGG ATA TCA TGC AGT AGA CAT TGT CTA AGG TAA CGA TGA TAG").Split(' ')];

    // A base's two bits by its letter, upper or lower case, and a codon's id by its six bits.
    private static readonly byte[] BaseBits = MakeBaseBits();
    private static readonly byte[] IdsByBits = MakeIds();

    /// <summary>The id of a codon of three letters, upper or lower case; <see cref="UnknownId"/> when it is none.</summary>
    public static byte IdOf(byte a, byte b, byte c)
    {
        int x = BaseBits[a], y = BaseBits[b], z = BaseBits[c];
        return (x | y | z) == NotABase ? UnknownId : IdsByBits[(x << 4) | (y << 2) | z];
    }

    /// <summary>The word with an id.</summary>
    public static string Word(int id) => Words[id];

    /// <summary>The letters of tokens, three each, NNN for what is no codon.</summary>
    internal static byte[] Letters(ReadOnlySpan<byte> tokens)
    {
        var letters = new byte[3 * tokens.Length];
        for (int i = 0; i < tokens.Length; i++)
        {
            var word = tokens[i] > MaskId ? Words[tokens[i]] : "NNN";
            for (int place = 0; place < 3; place++) letters[(3 * i) + place] = (byte)word[place];
        }

        return letters;
    }

    private static byte[] MakeBaseBits()
    {
        var bits = new byte[256];
        Array.Fill(bits, NotABase);
        for (byte i = 0; i < 4; i++) bits["ACGT"[i]] = bits["acgt"[i]] = i;
        return bits;
    }

    private static byte[] MakeIds()
    {
        var ids = new byte[64];
        for (int id = 5; id < Size; id++)
            ids[(BaseBits[Words[id][0]] << 4) | (BaseBits[Words[id][1]] << 2) | BaseBits[Words[id][2]]] = (byte)id;
        return ids;
    }
}
