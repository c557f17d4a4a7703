using PureHDF;
using PureHDF.VOL.Native;

namespace GenSlmOrleans.Genomics.Hdf5;

/// <summary>
/// GenSLM's preprocessed data (<c>fasta_to_h5</c>): <c>input_ids</c> and <c>attention_mask</c>, int64 of [records × block size], gzipped
/// chunks. Each row is a record's codon ids, cut to the block size, no [CLS] and no [SEP], padded on the right by [PAD], where the mask is 0.
/// The datasets of texts beside them (id, description, sequence) are not read.
/// </summary>
internal static class Hdf5TokenFile
{
    private static ReadOnlySpan<byte> Signature => [0x89, (byte)'H', (byte)'D', (byte)'F', (byte)'\r', (byte)'\n', 0x1a, (byte)'\n'];

    /// <summary>Whether a file begins as HDF5 files do.</summary>
    /// <exception cref="FastaException">It is missing or may not be read.</exception>
    public static bool IsHdf5(string path)
    {
        using var stream = FastaReader.Open(path, DataFile.Expected);
        Span<byte> first = stackalloc byte[8];
        return stream.ReadAtLeast(first, first.Length, throwOnEndOfStream: false) == first.Length && first.SequenceEqual(Signature);
    }

    /// <summary>The real tokens of each record. Good until the reader moves on.</summary>
    /// <exception cref="FastaException">The file is damaged, hostile, or not laid out as GenSLM's.</exception>
    public static IEnumerable<ReadOnlyMemory<byte>> Read(string path, CancellationToken ct)
    {
        using var reader = Guarded(path, () => new Strips(path, ct));
        while (Guarded(path, reader.Next) is { } strip)
        {
            for (int row = 0; row < strip.Count; row++)
            {
                int current = row;
                yield return Guarded(path, () => reader.Row(strip, current));
            }
        }
    }

#pragma warning disable CA1031 // On damaged data the library throws whatever it stumbles over.
    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is not (FastaException or OperationCanceledException))
        {
            throw new FastaException($"{path}: the HDF5 data cannot be used: {Sentence(exception)}; expected a whole file as GenSLM's fasta_to_h5 writes it.");
        }
    }
#pragma warning restore CA1031

    private static string Sentence(Exception exception)
    {
        while (exception.InnerException is { } inner) exception = inner;
        return exception.Message.ReplaceLineEndings(" ").TrimEnd('.', ' ');
    }

    /// <summary>Rows that are in memory.</summary>
    private readonly record struct Strip(int First, int Count);

    /// <summary>One pass over a file, as many rows at a time as are stored together.</summary>
    private sealed class Strips : IDisposable
    {
        private readonly GuardedStream _stream;
        private readonly NativeFile _file;
        private readonly Hdf5Matrix _ids;
        private readonly Hdf5Matrix _mask;
        private readonly byte[] _idRows;
        private readonly byte[] _maskRows;
        private int _next;

        public Strips(string path, CancellationToken ct)
        {
            BoundedFilters.Register();
            _stream = new GuardedStream(path, ct);
            try
            {
                _file = H5File.Open(_stream);
                RootLinks.Check(_file);
                _ids = Hdf5Matrix.Open(_file, "input_ids", _stream.Length);
                _mask = Hdf5Matrix.Open(_file, "attention_mask", _stream.Length);
                if ((_ids.Rows, _ids.Columns) != (_mask.Rows, _mask.Columns))
                    throw new InvalidDataException($"input_ids has the shape [{_ids.Rows} × {_ids.Columns}], attention_mask [{_mask.Rows} × {_mask.Columns}]; expected the same");
                _idRows = new byte[checked(Math.Min(_ids.ChunkRows, _ids.Rows) * _ids.Columns)];
                _maskRows = new byte[_idRows.Length];
            }
            catch
            {
                Dispose();
                throw;
            }
        }

        /// <summary>Reads the next rows; null after the last.</summary>
        public Strip? Next()
        {
            if (_next == _ids.Rows) return null;
            var strip = new Strip(_next, Math.Min(_ids.ChunkRows, _ids.Rows - _next));
            _ids.Read(strip.First, strip.Count, _idRows);
            _mask.Read(strip.First, strip.Count, _maskRows);
            _next += strip.Count;
            return strip;
        }

        /// <summary>A row's real tokens.</summary>
        public ReadOnlyMemory<byte> Row(Strip strip, int row)
        {
            var mask = _maskRows.AsSpan(row * _ids.Columns, _ids.Columns);
            int length = mask.IndexOfAnyExcept((byte)1);
            if (length < 0) length = mask.Length;
            int record = strip.First + row;
            if (length == 0) throw new InvalidDataException($"attention_mask[{record}, 0] is {mask[0]}; expected a row of ones for the record's tokens, then zeros for the padding on the right");
            int stray = mask[length..].IndexOfAnyExcept((byte)0);
            if (stray >= 0) throw new InvalidDataException($"attention_mask[{record}, {length + stray}] is {mask[length + stray]}; expected zeros behind the record's {length} ones");
            var tokens = _idRows.AsMemory(row * _ids.Columns, length);
            int bad = tokens.Span.IndexOfAnyInRange((byte)CodonVocabulary.Size, byte.MaxValue);
            if (bad < 0) bad = tokens.Span.IndexOf(CodonVocabulary.PadId);
            if (bad >= 0) throw new InvalidDataException($"input_ids[{record}, {bad}] is {tokens.Span[bad]}; expected an id of GenSLM's vocabulary, 0 to {CodonVocabulary.Size - 1}, and no [PAD] where attention_mask is 1");
            return tokens;
        }

        public void Dispose()
        {
            _file?.Dispose();
            _stream.Dispose();
        }
    }
}
