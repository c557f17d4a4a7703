using System.Buffers;
using System.Text;
using ICSharpCode.SharpZipLib;

namespace GenSlmOrleans.Genomics;

/// <summary>One FASTA record.</summary>
/// <param name="Header">The header line without its '&gt;'.</param>
/// <param name="Sequence">The letters as they stand, line ends and blanks left out. Good until the reader moves on.</param>
/// <param name="LineNumber">Line of the header, from 1.</param>
public readonly record struct FastaRecord(string Header, ReadOnlyMemory<byte> Sequence, long LineNumber);

/// <summary>Reads FASTA as a stream: plain or gzipped, lines of any length, LF or CR LF at their ends. Memory: one record.</summary>
public static class FastaReader
{
    /// <summary>Letters of one record at most: tokens of a record are counted by an <see cref="int"/>, and a gzip file can unpack to anything.</summary>
    internal const int MaximumSequenceLength = 1 << 30;

    /// <summary>Bytes of one header line at most; what is longer is no header.</summary>
    internal const int MaximumHeaderSizeBytes = 1 << 20;

    // Of a gzip file, which can unpack to a thousand times its size. Sequences come to four or five times, and to less than a
    // hundred where nearly the same record follows again and again: a reference to the one before takes two bytes or more.
    internal const int MaximumUnpackedRatio = 100;
    internal const int UnpackedAllowanceBytes = 4 << 20;

    // Letters that a record of a gzip file may have beyond the bytes of the file so far: the whole genome of a bacterium.
    internal const int RecordAllowance = 16 << 20;

    private const int LongestQuotation = 120;

    // All control characters but the tab.
    private static readonly SearchValues<byte> s_notInHeaders = SearchValues.Create([.. Enumerable.Range(0, 0x20).Append(0x7f).Where(value => value != '\t').Select(value => (byte)value)]);

    private const int BufferSizeBytes = 1 << 18;

    /// <summary>The records of a file, in order.</summary>
    /// <exception cref="FastaException">The file is missing, empty, not FASTA, or cut off.</exception>
    public static IEnumerable<FastaRecord> Read(string path)
    {
        using var file = Open(path);
        foreach (var record in Read(file, path)) yield return record;
    }

    /// <summary>Opens a file for reading from start to end.</summary>
    /// <exception cref="FastaException">It is missing, a folder, or may not be read.</exception>
    internal static FileStream Open(string path, string expected = "a FASTA file")
    {
        if (Directory.Exists(path)) throw new FastaException($"{path} is a folder; expected {expected}.");
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1, FileOptions.SequentialScan);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FastaException($"{path} does not exist; expected {expected}.");
        }
        catch (UnauthorizedAccessException)
        {
            throw new FastaException($"{path} may not be read; expected {expected} that this user may read.");
        }
        catch (Exception exception) when (exception is IOException or ArgumentException)
        {
            throw new FastaException($"'{path}' cannot be opened ({exception.Message.TrimEnd('.')}); expected {expected}.");
        }
    }

    /// <summary>The records of a stream, which is gzip if it begins like it; <paramref name="name"/> is for messages.</summary>
    internal static IEnumerable<FastaRecord> Read(Stream stream, string name)
    {
        var first = new byte[2];
        int known = stream.ReadAtLeast(first, 2, throwOnEndOfStream: false);
        if (known == 0) throw new FastaException($"{name} is empty; expected FASTA: a header line that begins with '>', then sequence.");
        using Stream whole = new PrefixedStream(first.AsMemory(0, known), stream);
        bool gzip = known == 2 && first[0] == 0x1f && first[1] == 0x8b;
        using var members = gzip ? new GzipMembers(whole) : null;
        foreach (var record in new Parser(members ?? whole, members, name).Records()) yield return record;
    }

    // A header can be a megabyte long, and have tabs and what UTF-8 has beyond ASCII for controlling a terminal.
    internal static string Quote(string header)
    {
        var shown = header.Length > LongestQuotation ? header[..LongestQuotation] + "…" : header;
        return $"'{string.Concat(shown.Select(letter => char.IsControl(letter) || char.IsSurrogate(letter) ? ' ' : letter))}'";
    }

    /// <summary>The state of one pass over a file.</summary>
    private sealed class Parser(Stream content, GzipMembers? packed, string name)
    {
        private readonly LetterBuffer _sequence = new();
        private readonly ArrayBufferWriter<byte> _headerBytes = new();
        private readonly byte[] _buffer = new byte[BufferSizeBytes];
        private string? _header;
        private long _headerLine;
        private long _line = 1;
        private long _unpackedSizeBytes;
        private LineKind _kind;

        private enum LineKind
        {
            Start,
            Header,
            Sequence,
        }

        public IEnumerable<FastaRecord> Records()
        {
            for (int count; (count = Fill()) > 0;)
            {
                for (int place = 0; place < count;)
                {
                    // A header line ends the record before it, which is handed out in between.
                    if (_kind == LineKind.Start && _buffer[place] == '>')
                    {
                        if (_header is not null) yield return Finish();
                        Begin();
                        place++;
                    }

                    place += TakeLine(_buffer.AsSpan(place, count - place));
                }
            }

            if (_kind == LineKind.Header) EndHeader();
            if (_header is null) throw new FastaException($"{name} holds no record; expected a header line that begins with '>', then sequence.");
            yield return Finish();
        }

        private int Fill()
        {
            try
            {
                int count = content.Read(_buffer, 0, _buffer.Length);
                _unpackedSizeBytes += count;
                if (packed is not null && _unpackedSizeBytes > UnpackedAllowanceBytes + MaximumUnpackedRatio * packed.PackedSizeBytes)
                    throw new FastaException($"{name} line {_line}: the file unpacks to more than {MaximumUnpackedRatio} times its size; expected FASTA, which does not (if this is FASTA, unpack it first).");
                return count;
            }
            // On damaged data the decompressor throws whatever it stumbles over, index errors included.
            catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or SharpZipBaseException
                or IndexOutOfRangeException or ArgumentException or InvalidOperationException)
            {
                throw new FastaException($"{name}: the gzip data is cut off or damaged after line {_line} ({exception.Message.TrimEnd('.')}); expected a whole .gz file.");
            }
        }

        /// <summary>Takes bytes up to the end of the line, or as many as there are; returns how many.</summary>
        private int TakeLine(ReadOnlySpan<byte> bytes)
        {
            int end = bytes.IndexOf((byte)'\n');
            var line = end < 0 ? bytes : bytes[..end];
            if (_kind == LineKind.Header) TakeHeader(line);
            else TakeSequence(line);
            if (end < 0) return bytes.Length;
            if (_kind == LineKind.Header) EndHeader();
            _line++;
            _kind = LineKind.Start;
            return end + 1;
        }

        private void TakeHeader(ReadOnlySpan<byte> line)
        {
            if (_headerBytes.WrittenCount + line.Length > MaximumHeaderSizeBytes)
                throw new FastaException($"{name} line {_line}: a header of more than {MaximumHeaderSizeBytes:N0} bytes; expected a line of text that begins with '>'.");
            _headerBytes.Write(line);
        }

        private void TakeSequence(ReadOnlySpan<byte> line)
        {
            if (line.Length > 0 && line[^1] == '\r') line = line[..^1];
            if (line.IndexOfAnyExceptInRange((byte)0x21, (byte)0x7e) >= 0)
            {
                TakeSpacedSequence(line);
                return;
            }

            if (line.Length > 0) Append(line);
        }

        private void TakeSpacedSequence(ReadOnlySpan<byte> line)
        {
            foreach (ref readonly byte value in line)
            {
                if (value is (byte)' ' or (byte)'\t' or (byte)'\r') continue;
                if (value is < 0x21 or > 0x7e)
                    throw new FastaException($"{name} line {_line}: found byte 0x{value:x2}, which is not text; expected FASTA, plain or gzipped.");
                Append(new ReadOnlySpan<byte>(in value));
            }
        }

        private void Append(ReadOnlySpan<byte> letters)
        {
            if (_header is null)
                throw new FastaException($"{name} line {_line}: found '{Encoding.ASCII.GetString(letters[..Math.Min(20, letters.Length)])}' before any header; expected a line that begins with '>'.");
            if (letters.Length > MaximumSequenceLength - _sequence.Count)
                throw new FastaException($"{name} line {_line}: record {Quote(_header)} is longer than {MaximumSequenceLength:N0} letters; split it.");
            if (packed is not null && letters.Length > RecordAllowance + packed.PackedSizeBytes - _sequence.Count)
                throw new FastaException($"{name} line {_line}: record {Quote(_header)} is longer than the whole file by more than {RecordAllowance:N0} letters; unpack the file first if it is meant to be.");
            _kind = LineKind.Sequence;
            _sequence.Append(letters);
        }

        private void Begin()
        {
            _headerBytes.ResetWrittenCount();
            _sequence.Clear();
            _headerLine = _line;
            _kind = LineKind.Header;
        }

        private void EndHeader()
        {
            var bytes = _headerBytes.WrittenSpan.TrimEnd((byte)'\r');
            int control = bytes.IndexOfAny(s_notInHeaders);
            if (control >= 0) throw new FastaException($"{name} line {_line}: found byte 0x{bytes[control]:x2} in a header, which is not text; expected FASTA, plain or gzipped.");
            _header = Encoding.UTF8.GetString(bytes).Trim();
        }

        private FastaRecord Finish()
        {
            if (_sequence.Count == 0)
                throw new FastaException($"{name} line {_headerLine}: record {Quote(_header!)} has no sequence; every header must be followed by at least one line of sequence.");
            return new FastaRecord(_header!, _sequence.Letters, _headerLine);
        }
    }
}
