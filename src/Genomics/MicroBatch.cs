namespace GenSlmOrleans.Genomics;

/// <summary>How far the records of a micro-batch are padded.</summary>
public enum PaddingMode
{
    /// <summary>To the longest of them.</summary>
    Longest,

    /// <summary>To the sequence limit.</summary>
    MaxLength,
}

/// <summary>Records that go through forward and backward at once, right-padded to a rectangle.</summary>
/// <param name="RecordCount">Rows.</param>
/// <param name="Columns">Tokens of a row, padding included.</param>
/// <param name="TokenIds">Row after row, [RecordCount × Columns].</param>
/// <param name="Lengths">Real tokens of each row.</param>
public sealed record MicroBatch(int RecordCount, int Columns, byte[] TokenIds, int[] Lengths)
{
    /// <summary>Tokens that are not padding.</summary>
    public long RealTokens { get; } = Lengths.Sum(length => (long)length);

    public long PaddingTokens => TokenIds.Length - RealTokens;

    /// <summary>Which records the rows are: places in the FASTA file, from 0; empty where the rows came from elsewhere.</summary>
    public int[] Records { get; init; } = [];

    /// <summary>How many of the records were longer than the sequence limit.</summary>
    public int TruncatedRecords { get; init; }

    /// <summary>Takes records from a store, each cut to <paramref name="sequenceLimit"/> tokens.</summary>
    public static MicroBatch Assemble(TokenStore store, ReadOnlySpan<int> records, int sequenceLimit, PaddingMode padding)
    {
        var lengths = new int[records.Length];
        int truncated = 0;
        for (int row = 0; row < records.Length; row++)
        {
            int length = store.Length(records[row]);
            if (length > sequenceLimit) truncated++;
            lengths[row] = Math.Min(sequenceLimit, length);
        }

        int columns = padding == PaddingMode.MaxLength ? sequenceLimit : lengths.Max();
        var ids = new byte[checked(records.Length * columns)];
        Array.Fill(ids, CodonVocabulary.PadId);
        for (int row = 0; row < records.Length; row++) store.Tokens(records[row])[..lengths[row]].CopyTo(ids.AsSpan(row * columns));
        return new MicroBatch(records.Length, columns, ids, lengths) { Records = records.ToArray(), TruncatedRecords = truncated };
    }
}
