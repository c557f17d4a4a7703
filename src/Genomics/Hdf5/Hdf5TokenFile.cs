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
        using var rows = Guarded(path, () => new Rows(path, ct));
        for (int record = 0; record < rows.Count; record++)
        {
            int current = record;
            yield return Guarded(path, () => rows.Tokens(current));
        }
    }

    private static T Guarded<T>(string path, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception exception) when (exception is InvalidDataException or IOException)
        {
            throw new FastaException($"{path}: the HDF5 data cannot be used: {exception.Message.TrimEnd('.')}; expected a whole file as GenSLM's fasta_to_h5 writes it.");
        }
    }

    /// <summary>The two datasets of a file.</summary>
    private sealed class Rows : IDisposable
    {
        private readonly Hdf5Bytes _file;
        private readonly Hdf5Matrix _ids;
        private readonly Hdf5Matrix _mask;

        public Rows(string path, CancellationToken ct)
        {
            _file = new Hdf5Bytes(path, ct);
            try
            {
                var root = Hdf5RootGroup.Read(_file);
                _ids = Hdf5Matrix.Open(_file, root, "input_ids");
                _mask = Hdf5Matrix.Open(_file, root, "attention_mask");
                if ((_ids.Rows, _ids.Columns) != (_mask.Rows, _mask.Columns))
                    throw new InvalidDataException($"input_ids has the shape [{_ids.Rows} × {_ids.Columns}], attention_mask [{_mask.Rows} × {_mask.Columns}]; expected the same");
            }
            catch
            {
                _file.Dispose();
                throw;
            }
        }

        public int Count => _ids.Rows;

        /// <summary>A record's real tokens.</summary>
        public ReadOnlyMemory<byte> Tokens(int record)
        {
            var mask = _mask.Row(record).Span;
            int length = mask.IndexOfAnyExcept((byte)1);
            if (length < 0) length = mask.Length;
            if (length == 0) throw new InvalidDataException($"attention_mask[{record}, 0] is {mask[0]}; expected a row of ones for the record's tokens, then zeros for the padding on the right");
            int stray = mask[length..].IndexOfAnyExcept((byte)0);
            if (stray >= 0) throw new InvalidDataException($"attention_mask[{record}, {length + stray}] is {mask[length + stray]}; expected zeros behind the record's {length} ones");
            var tokens = _ids.Row(record)[..length];
            int bad = tokens.Span.IndexOfAnyInRange((byte)CodonVocabulary.Size, byte.MaxValue);
            if (bad < 0) bad = tokens.Span.IndexOf(CodonVocabulary.PadId);
            if (bad >= 0) throw new InvalidDataException($"input_ids[{record}, {bad}] is {tokens.Span[bad]}; expected an id of GenSLM's vocabulary, 0 to {CodonVocabulary.Size - 1}, and no [PAD] where attention_mask is 1");
            return tokens;
        }

        public void Dispose() => _file.Dispose();
    }
}
