namespace GenSlmOrleans.Genomics;

/// <summary>
/// A stretch of codons that can be a gene: from ATG to the first stop (TAA, TAG, TGA) in the same frame, the stop included, or to the
/// last whole codon where no stop follows. On the strand as written; a codon with any other letter than A, C, G and T is neither.
/// </summary>
/// <param name="Start">Its first letter, from 0.</param>
/// <param name="Length">Its letters, a multiple of 3.</param>
/// <param name="HasStop">Whether it ends in a stop.</param>
public readonly record struct OpenReadingFrame(int Start, int Length, bool HasStop)
{
    private static readonly byte StartId = (byte)CodonVocabulary.Words.IndexOf("ATG");
    private static readonly bool[] IsStop = [.. CodonVocabulary.Words.Select(word => word is "TAA" or "TAG" or "TGA")];

    /// <summary>0, 1 or 2: the letters before the first codon of its frame.</summary>
    public int Frame => Start % 3;

    /// <summary>The longest of a sequence in any of the three frames, the first of equally long ones; null when there is no ATG.</summary>
    public static OpenReadingFrame? Longest(ReadOnlySpan<byte> sequence)
    {
        OpenReadingFrame? longest = null;
        for (int frame = 0; frame < 3; frame++)
        {
            if (LongestIn(sequence, frame) is not { } found) continue;
            if (longest is not { } known || found.Length > known.Length || (found.Length == known.Length && found.Start < known.Start)) longest = found;
        }

        return longest;
    }

    private static OpenReadingFrame? LongestIn(ReadOnlySpan<byte> sequence, int frame)
    {
        OpenReadingFrame? longest = null;
        int start = -1, place = frame;
        for (; place + 3 <= sequence.Length; place += 3)
        {
            byte id = CodonVocabulary.IdOf(sequence[place], sequence[place + 1], sequence[place + 2]);
            if (start < 0 && id == StartId) start = place;
            if (start < 0 || !IsStop[id]) continue;
            Offer(new OpenReadingFrame(start, place + 3 - start, HasStop: true));
            start = -1;
        }

        if (start >= 0) Offer(new OpenReadingFrame(start, place - start, HasStop: false));
        return longest;

        void Offer(OpenReadingFrame found)
        {
            if (longest is null || found.Length > longest.Value.Length) longest = found;
        }
    }
}
