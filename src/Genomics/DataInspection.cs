using System.Buffers;
using System.Collections.Immutable;
using System.IO.Hashing;

namespace GenSlmOrleans.Genomics;

/// <summary>Reads data files once and says what they hold.</summary>
public sealed class DataInspection
{
    // Any will do: the forecast is for an order that is drawn at random.
    private const ulong Seed = 42;

    private readonly RecordPreparation _preparation;
    private readonly Action<RecordView>? _each;
    private readonly ArrayBufferWriter<byte> _tokens = new();
    private readonly ArrayBufferWriter<byte> _openTokens = new();
    private readonly List<FileView> _files = [];
    private readonly List<int> _lengths = [];
    private readonly HashSet<UInt128> _seen = [];
    private readonly int[] _frames = new int[3];
    private TokenizedRecord _sum;
    private long _tokenCount;
    private long _unknown;
    private long _gaps;
    private long _uracils;
    private int _duplicates;
    private int _withoutFrame;
    private int _changed;
    private long _openTokenCount;
    private long _openUnknown;

    private DataInspection(RecordPreparation preparation, Action<RecordView>? each) => (_preparation, _each) = (preparation, each);

    /// <summary>Reads <paramref name="files"/>.</summary>
    /// <param name="files">FASTA or HDF5.</param>
    /// <param name="preparation">Of their records.</param>
    /// <param name="batchSize">For the forecast of padding.</param>
    /// <param name="sequenceLimit">Tokens a record would be cut to.</param>
    /// <param name="each">Called with each record.</param>
    /// <param name="ct">Ends the reading.</param>
    /// <exception cref="FastaException">A file is missing, malformed, or cannot be so prepared.</exception>
    public static DataView Of(
        IEnumerable<string> files, RecordPreparation preparation, int batchSize, int sequenceLimit, Action<RecordView>? each = null, CancellationToken ct = default)
    {
        var inspection = new DataInspection(preparation, each);
        foreach (var path in files)
        {
            int before = inspection._lengths.Count;
            using var file = DataFile.Open(path, preparation, ct);
            foreach (var record in file.Records()) inspection.Add(path, record);
            inspection._files.Add(new FileView(path, inspection._lengths.Count - before));
        }

        return inspection.View(batchSize, sequenceLimit);
    }

    private void Add(string path, DataRecord record)
    {
        _tokens.ResetWrittenCount();
        _sum = record.Tokenize(_tokens);
        _lengths.Add(_sum.TokenCount);
        _tokenCount += _sum.TokenCount;
        _unknown += _sum.UnknownCount;
        _gaps += _sum.GapCount;
        _uracils += _sum.UracilCount;
        if (!_seen.Add(XxHash128.HashToUInt128(_tokens.WrittenSpan))) _duplicates++;

        var letters = record.AreTokens ? CodonVocabulary.Letters(record.Content.Span) : record.Unframed.Span;
        var open = OpenReadingFrame.Longest(letters);
        if (open is { } found) _frames[found.Frame]++;
        else _withoutFrame++;
        AddOpen(letters, open);
        _each?.Invoke(new RecordView(path, record.Header, _sum.TokenCount, _sum.UnknownCount, open));
    }

    private void AddOpen(ReadOnlySpan<byte> letters, OpenReadingFrame? open)
    {
        _openTokens.ResetWrittenCount();
        var counts = _sum;
        if (open is { } found)
        {
            counts = CodonTokenizer.Tokenize(letters.Slice(found.Start, found.Length), _openTokens);
            if (!_openTokens.WrittenSpan.SequenceEqual(_tokens.WrittenSpan)) _changed++;
        }

        _openTokenCount += counts.TokenCount;
        _openUnknown += counts.UnknownCount;
    }

    private DataView View(int batchSize, int sequenceLimit) => new()
    {
        Files = [.. _files],
        Records = _lengths.Count,
        Tokens = _tokenCount,
        UnknownTokens = _unknown,
        Gaps = _gaps,
        Uracils = _uracils,
        Duplicates = _duplicates,
        Lengths = LengthsOf(_lengths),
        Padding = PaddingOf(_lengths, batchSize, sequenceLimit),
        ReadingFrame = new FrameView([.. _frames], _withoutFrame, _changed, _openTokenCount, _openUnknown),
    };

    private static LengthView LengthsOf(List<int> lengths)
    {
        const int MostBins = 12;
        int[] sorted = [.. lengths.Order()];
        int least = sorted[0], most = sorted[^1], middle = sorted.Length / 2;
        int width = Math.Max(1, (int)Math.Ceiling((most - least + 1) / (double)MostBins));
        var bins = ImmutableArray.CreateBuilder<LengthBin>();
        for (int from = least, done = 0; from <= most; from += width)
        {
            int next = done;
            while (next < sorted.Length && sorted[next] < from + width) next++;
            bins.Add(new LengthBin(from, Math.Min(most, from + width - 1), next - done));
            done = next;
        }

        double median = sorted.Length % 2 != 0 ? sorted[middle] : (sorted[middle - 1] + (double)sorted[middle]) / 2;
        return new LengthView(least, median, lengths.Average(), most, bins.ToImmutable());
    }

    private static PaddingView PaddingOf(List<int> lengths, int batchSize, int sequenceLimit)
    {
        ImmutableArray<int> cut = [.. lengths.Select(length => Math.Min(sequenceLimit, length))];
        long real = cut.Sum(length => (long)length);
        double Padded(int[] order) => 1 - ((double)real / order.Chunk(batchSize).Sum(batch => (long)batch.Length * batch.Max(record => cut[record])));
        var order = Permutation.Of(cut.Length, Seed, RandomPurpose.Shuffle, stream: 0);
        return new PaddingView(
            batchSize,
            sequenceLimit,
            Padded(order),
            1 - (real / ((double)sequenceLimit * cut.Length)),
            lengths.Count(length => length > sequenceLimit),
            Padded(new LengthBuckets(cut, batchSize).Arrange(order, shuffle: true, Seed, stream: 0)));
    }
}
