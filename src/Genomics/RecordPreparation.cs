using System.Buffers;

namespace GenSlmOrleans.Genomics;

/// <summary>Where in a sequence the codons begin.</summary>
public enum ReadingFrame
{
    /// <summary>At the first letter, as GenSLM reads.</summary>
    Start,

    /// <summary>At the first letter.</summary>
    Zero,

    /// <summary>At the second letter.</summary>
    One,

    /// <summary>At the third letter.</summary>
    Two,

    /// <summary>The longest open reading frame and nothing else of the sequence; the whole sequence where there is none.</summary>
    LongestOpen,
}

/// <summary>What is done to a sequence before it is tokenised: first the gaps go, if they are to, then the frame is chosen.</summary>
/// <param name="Frame">Where the codons begin.</param>
/// <param name="StripGaps">Leave the gap characters ('-') of an alignment out.</param>
public sealed record RecordPreparation(ReadingFrame Frame, bool StripGaps)
{
    private const byte Gap = (byte)'-';

    /// <summary>As GenSLM: nothing.</summary>
    public static RecordPreparation None { get; } = new(ReadingFrame.Start, StripGaps: false);

    /// <summary>Whether every sequence stays as it is.</summary>
    public bool ChangesNothing => Frame is ReadingFrame.Start or ReadingFrame.Zero && !StripGaps;

    /// <summary>Tells the token stores of differently prepared data apart; empty when nothing is done.</summary>
    internal string Mark => (Frame switch
    {
        ReadingFrame.One => "-frame1",
        ReadingFrame.Two => "-frame2",
        ReadingFrame.LongestOpen => "-orf",
        _ => "",
    }) + (StripGaps ? "-nogaps" : "");

    /// <summary>The sequence without gaps, if they are to go: itself, or what is written to <paramref name="spare"/>, over what was there.</summary>
    public ReadOnlyMemory<byte> WithoutGaps(ReadOnlyMemory<byte> sequence, ArrayBufferWriter<byte> spare)
    {
        if (!StripGaps || !sequence.Span.Contains(Gap)) return sequence;
        spare.ResetWrittenCount();
        // At once: growing step by step would take as much again.
        spare.GetSpan(sequence.Length);
        foreach (var part in sequence.Span.Split(Gap)) spare.Write(sequence.Span[part]);
        return spare.WrittenMemory;
    }

    /// <summary>The part of <paramref name="letters"/> to tokenise, possibly nothing.</summary>
    public ReadOnlyMemory<byte> InFrame(ReadOnlyMemory<byte> letters) => Frame switch
    {
        ReadingFrame.One => letters[Math.Min(1, letters.Length)..],
        ReadingFrame.Two => letters[Math.Min(2, letters.Length)..],
        ReadingFrame.LongestOpen when OpenReadingFrame.Longest(letters.Span) is { } open => letters.Slice(open.Start, open.Length),
        _ => letters,
    };
}
