using System.Buffers;

namespace GenSlmOrleans.Genomics;

/// <summary>What a record became.</summary>
/// <param name="TokenCount">Tokens written.</param>
/// <param name="UnknownCount">How many of them are [UNK].</param>
/// <param name="GapCount">Gap characters ('-') in the sequence.</param>
/// <param name="UracilCount">Letters U or u in the sequence: many of them say that it is RNA.</param>
public readonly record struct TokenizedRecord(int TokenCount, int UnknownCount, int GapCount, int UracilCount)
{
    /// <summary>Two pieces of one record.</summary>
    public static TokenizedRecord operator +(TokenizedRecord left, TokenizedRecord right) => new(
        left.TokenCount + right.TokenCount, left.UnknownCount + right.UnknownCount, left.GapCount + right.GapCount, left.UracilCount + right.UracilCount);
}

/// <summary>
/// Sequence to codon tokens exactly as GenSLM does it: upper case, consecutive groups of three letters from position 0, each
/// group cut again by the pre-tokenizer's <c>\w+|[^\w\s]+</c>, each piece looked up. A whole codon of A, C, G, T has an id
/// of its own; any other piece, a partial last group included, is one [UNK].
/// </summary>
public static class CodonTokenizer
{
    /// <summary>Writes a sequence's tokens, one byte each. The sequence holds no white space.</summary>
    public static TokenizedRecord Tokenize(ReadOnlySpan<byte> sequence, IBufferWriter<byte> output)
    {
        // A group of three has at most three pieces.
        var tokens = output.GetSpan(sequence.Length + 1);
        int written = 0, unknown = 0, place = 0;
        for (; place + 3 <= sequence.Length; place += 3)
        {
            byte id = CodonVocabulary.IdOf(sequence[place], sequence[place + 1], sequence[place + 2]);
            if (id != CodonVocabulary.UnknownId)
            {
                tokens[written++] = id;
                continue;
            }

            int pieces = CountPieces(sequence.Slice(place, 3));
            tokens.Slice(written, pieces).Clear();
            written += pieces;
            unknown += pieces;
        }

        if (place < sequence.Length)
        {
            int pieces = CountPieces(sequence[place..]);
            tokens.Slice(written, pieces).Clear();
            written += pieces;
            unknown += pieces;
        }

        output.Advance(written);
        // Neither is part of a codon: where all tokens are known there is none to count.
        if (unknown == 0) return new TokenizedRecord(written, 0, 0, 0);
        return new TokenizedRecord(written, unknown, sequence.Count((byte)'-'), sequence.Count((byte)'U') + sequence.Count((byte)'u'));
    }

    private static int CountPieces(ReadOnlySpan<byte> group)
    {
        int pieces = 1;
        for (int i = 1; i < group.Length; i++)
            if (IsWordLetter(group[i]) != IsWordLetter(group[i - 1])) pieces++;
        return pieces;
    }

    private static bool IsWordLetter(byte letter) => char.IsAsciiLetterOrDigit((char)letter) || letter == '_';
}
