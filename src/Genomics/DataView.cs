using System.Collections.Immutable;

namespace GenSlmOrleans.Genomics;

/// <summary>What a record looks like.</summary>
/// <param name="File">Path of its file.</param>
/// <param name="Header">Its name.</param>
/// <param name="Tokens">As it would be trained on, untruncated.</param>
/// <param name="UnknownTokens">How many of those are [UNK].</param>
/// <param name="Open">The longest open reading frame of its sequence, gaps left out where they are to be; null: it has no ATG.</param>
public sealed record RecordView(string File, string Header, int Tokens, int UnknownTokens, OpenReadingFrame? Open);

/// <summary>A file and how many records it has.</summary>
public sealed record FileView(string Path, int Records);

/// <summary>How many records have a length from <paramref name="From"/> to <paramref name="To"/> tokens.</summary>
public sealed record LengthBin(int From, int To, int Records);

/// <summary>The lengths of records, in tokens.</summary>
public sealed record LengthView(int Minimum, double Median, double Mean, int Maximum, ImmutableArray<LengthBin> Histogram);

/// <summary>What padding would cost: the share of the computed tokens that is padding.</summary>
/// <param name="BatchSize">Records of a micro-batch.</param>
/// <param name="SequenceLimit">Tokens a record is cut to.</param>
/// <param name="ToLongest">When padded to the longest record of the micro-batch, in a shuffled epoch.</param>
/// <param name="ToLimit">When padded to the limit, as GenSLM's script does.</param>
/// <param name="TruncatedRecords">Records that are longer than the limit.</param>
/// <param name="Bucketed">As <paramref name="ToLongest"/>, when records of similar length come together.</param>
public sealed record PaddingView(int BatchSize, int SequenceLimit, double ToLongest, double ToLimit, int TruncatedRecords, double Bucketed);

/// <summary>Where the longest open reading frames lie, and what reading nothing else would change.</summary>
/// <param name="Frames">Records whose longest open reading frame is in frame 0, 1 and 2.</param>
/// <param name="None">Records without any ATG.</param>
/// <param name="Changed">Records that frame <c>orf</c> would make other tokens of.</param>
/// <param name="Tokens">Tokens of all records with it.</param>
/// <param name="UnknownTokens">How many of those would be [UNK].</param>
public sealed record FrameView(ImmutableArray<int> Frames, int None, int Changed, long Tokens, long UnknownTokens);

/// <summary>What data files hold, before anything is trained on them.</summary>
public sealed record DataView
{
    public required ImmutableArray<FileView> Files { get; init; }

    public required int Records { get; init; }

    public required long Tokens { get; init; }

    public required long UnknownTokens { get; init; }

    /// <summary>Of all tokens.</summary>
    public double UnknownShare => (double)UnknownTokens / Tokens;

    /// <summary>Gap characters that stay in the sequences.</summary>
    public required long Gaps { get; init; }

    /// <summary>Letters U: many of them say that a file is RNA.</summary>
    public required long Uracils { get; init; }

    /// <summary>Records that have the same tokens as one before them.</summary>
    public required int Duplicates { get; init; }

    public required LengthView Lengths { get; init; }

    public required PaddingView Padding { get; init; }

    public required FrameView ReadingFrame { get; init; }
}
