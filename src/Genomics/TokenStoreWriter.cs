using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace GenSlmOrleans.Genomics;

/// <summary>
/// Writes a token store in one pass over a FASTA file. The tables behind the tokens grow with the number of records, so
/// they wait in files of their own beside the store; memory holds one record and some megabytes.
/// </summary>
internal static class TokenStoreWriter
{
    private const int FlushSizeBytes = 1 << 20;

    // Whole groups of three: a long record is tokenised piece by piece, to the same tokens.
    private const int PieceLength = 3 << 18;

    /// <summary>Writes the store of <paramref name="fastaPath"/> to a new file, flushed to the disk, and returns the hash of the FASTA's bytes.</summary>
    /// <exception cref="FastaException">The FASTA file is missing or malformed; the new file is not whole.</exception>
    public static UInt128 Write(string fastaPath, string path, CancellationToken ct)
    {
        using var source = new HashingReader(FastaReader.Open(fastaPath), ct);
        using var output = new CheckedOutput(path);
        using var tokenEnds = new Spill(path + ".token-ends");
        using var headerEnds = new Spill(path + ".header-ends");
        using var headers = new Spill(path + ".headers");
        var tokens = new ArrayBufferWriter<byte>(FlushSizeBytes + PieceLength + 1);
        var total = default(TokenStoreLayout);
        foreach (var record in FastaReader.Read(source, fastaPath))
        {
            if (total.RecordCount == int.MaxValue) throw new FastaException($"{fastaPath} line {record.LineNumber}: more than {int.MaxValue:N0} records; split the file.");
            var counts = Tokenize(record.Sequence.Span, tokens, output);
            total = total with
            {
                RecordCount = total.RecordCount + 1,
                TokenCount = total.TokenCount + counts.TokenCount,
                UnknownTokenCount = total.UnknownTokenCount + counts.UnknownCount,
                GapCount = total.GapCount + counts.GapCount,
                UracilCount = total.UracilCount + counts.UracilCount,
                MaximumLength = Math.Max(total.MaximumLength, counts.TokenCount),
            };
            tokenEnds.Add(total.TokenCount);
            headerEnds.Add(headers.Add(record.Header));
        }

        output.Write(tokens.WrittenSpan);
        output.Write(stackalloc byte[(int)(TokenStoreLayout.Padded(total.TokenCount) - total.TokenCount)]);
        tokenEnds.CopyTo(output);
        headerEnds.CopyTo(output);
        headers.CopyTo(output);
        var hash = source.HashToEnd();
        output.Finish(total with { HeaderTextSizeBytes = headers.SizeBytes, SourceHash = hash });
        return hash;
    }

    private static TokenizedRecord Tokenize(ReadOnlySpan<byte> sequence, ArrayBufferWriter<byte> tokens, CheckedOutput output)
    {
        var total = default(TokenizedRecord);
        for (int place = 0; place < sequence.Length; place += PieceLength)
        {
            total += CodonTokenizer.Tokenize(sequence.Slice(place, Math.Min(PieceLength, sequence.Length - place)), tokens);
            if (tokens.WrittenCount < FlushSizeBytes) continue;
            output.Write(tokens.WrittenSpan);
            tokens.ResetWrittenCount();
        }

        return total;
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
