using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// Writes a token store in one pass over the data files. The tables behind the tokens grow with the number of records, so
/// they wait in files of their own beside the store; memory holds one record and some megabytes.
/// </summary>
internal sealed class TokenStoreWriter : IDisposable
{
    private const int FlushSizeBytes = 1 << 20;

    // Whole groups of three: a long record is tokenised piece by piece, to the same tokens.
    private const int PieceLength = 3 << 18;

    private readonly CheckedOutput _output;
    private readonly Spill _tokenEnds;
    private readonly Spill _headerEnds;
    private readonly Spill _headers;
    private readonly ArrayBufferWriter<byte> _tokens = new(FlushSizeBytes + PieceLength + 1);
    private TokenStoreLayout _total;

    private TokenStoreWriter(string path)
    {
        _output = new CheckedOutput(path);
        _tokenEnds = new Spill(path + ".token-ends");
        _headerEnds = new Spill(path + ".header-ends");
        _headers = new Spill(path + ".headers");
    }

    /// <summary>Writes the store of <paramref name="sources"/> to a new file, flushed to the disk, and returns the hash of the data.</summary>
    /// <exception cref="FastaException">A data file is missing or malformed; the new file is not whole.</exception>
    public static UInt128 Write(DataSources sources, string path, CancellationToken ct)
    {
        using var writer = new TokenStoreWriter(path);
        var hashes = new List<UInt128>();
        Span<int> counts = stackalloc int[sources.Sets.Length];
        for (int set = 0; set < counts.Length; set++)
        {
            int before = writer._total.RecordCount;
            foreach (var source in sources.Sets[set])
            {
                using var file = DataFile.Open(source, sources.Preparation, ct);
                foreach (var record in file.Records()) writer.Add(record, source);
                hashes.Add(file.HashToEnd());
            }

            counts[set] = writer._total.RecordCount - before;
        }

        var hash = sources.Combine(hashes);
        writer.Finish(new RecordSets(counts[0], counts[1], counts[2]), hash);
        return hash;
    }

    private void Add(DataRecord record, string source)
    {
        if (_total.RecordCount == int.MaxValue) throw new FastaException($"{source}: with it there are more than {int.MaxValue:N0} records; give fewer.");
        var counts = default(TokenizedRecord);
        for (int place = 0; place < record.Content.Length; place += PieceLength)
        {
            counts += (record with { Content = record.Content.Slice(place, Math.Min(PieceLength, record.Content.Length - place)) }).Tokenize(_tokens);
            if (_tokens.WrittenCount < FlushSizeBytes) continue;
            _output.Write(_tokens.WrittenSpan);
            _tokens.ResetWrittenCount();
        }

        _total = _total with
        {
            RecordCount = _total.RecordCount + 1,
            TokenCount = _total.TokenCount + counts.TokenCount,
            UnknownTokenCount = _total.UnknownTokenCount + counts.UnknownCount,
            GapCount = _total.GapCount + counts.GapCount,
            UracilCount = _total.UracilCount + counts.UracilCount,
            MaximumLength = Math.Max(_total.MaximumLength, counts.TokenCount),
        };
        _tokenEnds.Add(_total.TokenCount);
        _headerEnds.Add(_headers.Add(record.Header));
    }

    private void Finish(RecordSets sets, UInt128 hash)
    {
        _output.Write(_tokens.WrittenSpan);
        _output.Write(stackalloc byte[(int)(TokenStoreLayout.Padded(_total.TokenCount) - _total.TokenCount)]);
        _tokenEnds.CopyTo(_output);
        _headerEnds.CopyTo(_output);
        _headers.CopyTo(_output);
        _output.Finish(_total with { HeaderTextSizeBytes = _headers.SizeBytes, SourceHash = hash, ValidationCount = sets.Validation, TestCount = sets.Test });
    }

    public void Dispose()
    {
        _output.Dispose();
        _tokenEnds.Dispose();
        _headerEnds.Dispose();
        _headers.Dispose();
    }

    /// <summary>What follows the head, hashed on the way; the head is written last.</summary>
    private sealed class CheckedOutput : IDisposable
    {
        private readonly FileStream _file;
        private readonly XxHash3 _hash = new();

        public CheckedOutput(string path) =>
            _file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1) { Position = TokenStoreLayout.SizeBytes };

        public void Write(ReadOnlySpan<byte> bytes)
        {
            _hash.Append(bytes);
            _file.Write(bytes);
        }

        public void Finish(TokenStoreLayout layout)
        {
            Span<byte> head = stackalloc byte[TokenStoreLayout.SizeBytes];
            layout.Write(head);
            _hash.Append(head[..TokenStoreLayout.CheckedSizeBytes]);
            (layout with { Checksum = _hash.GetCurrentHashAsUInt64() }).Write(head);
            _file.Position = 0;
            _file.Write(head);
            _file.Flush(flushToDisk: true);
        }

        public void Dispose() => _file.Dispose();
    }

    /// <summary>Bytes kept for later: in memory while they are few, else in a file that goes when this does.</summary>
    private sealed class Spill(string path) : IDisposable
    {
        private readonly ArrayBufferWriter<byte> _buffer = new();
        private FileStream? _file;

        public long SizeBytes { get; private set; }

        public void Add(long value)
        {
            BinaryPrimitives.WriteInt64LittleEndian(_buffer.GetSpan(sizeof(long)), value);
            _buffer.Advance(sizeof(long));
            SizeBytes += sizeof(long);
            Settle();
        }

        /// <summary>Adds a text and returns where it ends.</summary>
        public long Add(string text)
        {
            SizeBytes += Encoding.UTF8.GetBytes(text, _buffer);
            Settle();
            return SizeBytes;
        }

        public void CopyTo(CheckedOutput output)
        {
            if (_file is not null)
            {
                _file.Position = 0;
                var piece = new byte[FlushSizeBytes];
                for (int count; (count = _file.Read(piece)) > 0;) output.Write(piece.AsSpan(0, count));
            }

            output.Write(_buffer.WrittenSpan);
        }

        private void Settle()
        {
            if (_buffer.WrittenCount < FlushSizeBytes) return;
            _file ??= new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
            _file.Write(_buffer.WrittenSpan);
            _buffer.ResetWrittenCount();
        }

        public void Dispose() => _file?.Dispose();
    }
}
