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

    /// <summary>The letters to tokenise, possibly none: a part of <paramref name="sequence"/>, or of <paramref name="spare"/>, which is overwritten.</summary>
    public ReadOnlyMemory<byte> Apply(ReadOnlyMemory<byte> sequence, ArrayBufferWriter<byte> spare)
    {
        if (StripGaps && sequence.Span.Contains(Gap))
        {
            spare.ResetWrittenCount();
            foreach (var part in sequence.Span.Split(Gap)) spare.Write(sequence.Span[part]);
            sequence = spare.WrittenMemory;
        }

        return Frame switch
        {
            ReadingFrame.One => sequence[Math.Min(1, sequence.Length)..],
            ReadingFrame.Two => sequence[Math.Min(2, sequence.Length)..],
            ReadingFrame.LongestOpen when OpenReadingFrame.Longest(sequence.Span) is { } open => sequence.Slice(open.Start, open.Length),
            _ => sequence,
        };
    }
}
