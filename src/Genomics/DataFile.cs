using System.Buffers;
using GenSlmOrleans.Genomics.Hdf5;

namespace GenSlmOrleans.Genomics;

/// <summary>A record of a data file, ready to become tokens. Good until the file moves on.</summary>
/// <param name="Header">Its name.</param>
/// <param name="Content">Letters, prepared; or token ids.</param>
/// <param name="AreTokens">Which of the two.</param>
internal readonly record struct DataRecord(string Header, ReadOnlyMemory<byte> Content, bool AreTokens)
{
    /// <summary>Of a sequence: its letters before the frame was chosen.</summary>
    public ReadOnlyMemory<byte> Unframed { get; init; }

    /// <summary>Appends the record's tokens.</summary>
    public TokenizedRecord Tokenize(IBufferWriter<byte> output)
    {
        if (!AreTokens) return CodonTokenizer.Tokenize(Content.Span, output);
        output.Write(Content.Span);
        return new TokenizedRecord(Content.Length, Content.Span.Count(CodonVocabulary.UnknownId), 0, 0);
    }
}

/// <summary>One file of records: FASTA, plain or gzipped, or GenSLM's HDF5. What it is, its first bytes say.</summary>
internal abstract class DataFile : IDisposable
{
    /// <summary>What a message says is expected where a file is not to be had.</summary>
    public const string Expected = "a FASTA or HDF5 file";

    /// <exception cref="FastaException">The file is missing or may not be read, or it holds tokens, to which <paramref name="preparation"/> cannot be applied.</exception>
    public static DataFile Open(string path, RecordPreparation preparation, CancellationToken ct)
    {
        if (!Hdf5TokenFile.IsHdf5(path)) return new FastaDataFile(path, preparation, ct);
        return preparation.ChangesNothing
            ? new Hdf5DataFile(path, ct)
            : throw new FastaException($"{path} holds tokens, not letters: neither a frame nor strip-gaps can be applied to it; leave frame at start and gaps as they are, or give the FASTA file it was made of.");
    }

    /// <summary>The records, once.</summary>
    /// <exception cref="FastaException">The file is malformed.</exception>
    public abstract IEnumerable<DataRecord> Records();

    /// <summary>XXH3-128 of all the file's bytes; after <see cref="Records"/>.</summary>
    public abstract UInt128 HashToEnd();

    public abstract void Dispose();

    private sealed class FastaDataFile(string path, RecordPreparation preparation, CancellationToken ct) : DataFile
    {
        private readonly HashingReader _stream = new(FastaReader.Open(path), ct);
        private readonly ArrayBufferWriter<byte> _spare = new();

        public override IEnumerable<DataRecord> Records()
        {
            foreach (var record in FastaReader.Read(_stream, path))
            {
                var unframed = preparation.WithoutGaps(record.Sequence, _spare);
                var letters = preparation.InFrame(unframed);
                if (letters.IsEmpty)
                    throw new FastaException($"{path} line {record.LineNumber}: nothing is left of record {FastaReader.Quote(record.Header)}, which has {record.Sequence.Length} letters, gaps included, once frame and strip-gaps are applied; leave it out.");
                yield return new DataRecord(record.Header, letters, AreTokens: false) { Unframed = unframed };
            }
        }

        public override UInt128 HashToEnd() => _stream.HashToEnd();

        public override void Dispose() => _stream.Dispose();
    }

    private sealed class Hdf5DataFile(string path, CancellationToken ct) : DataFile
    {
        public override IEnumerable<DataRecord> Records()
        {
            int row = 0;
            foreach (var tokens in Hdf5TokenFile.Read(path, ct)) yield return new DataRecord($"row {row++}", tokens, AreTokens: true);
        }

        public override UInt128 HashToEnd()
        {
            using var stream = new HashingReader(FastaReader.Open(path), ct);
            return stream.HashToEnd();
        }

        public override void Dispose()
        {
        }
    }
}
