namespace GenSlmOrleans.Formats;

/// <summary>A line of a ledger, good until the next is read.</summary>
/// <param name="Number">From 1.</param>
/// <param name="End">Offset of the byte after its line end.</param>
/// <param name="Bytes">Without the line end.</param>
/// <param name="IsWhole">Whether it has a line end: a crash can cut off the last one.</param>
internal readonly record struct LedgerLine(long Number, long End, ReadOnlyMemory<byte> Bytes, bool IsWhole);

/// <summary>Reads a ledger line by line; memory: one line.</summary>
internal static class LedgerLines
{
    /// <summary>A line with 200,000 shards is shorter.</summary>
    private const int LongestLine = 1 << 24;

    /// <exception cref="LedgerException">The file is missing, cannot be read, or is no ledger but something without line ends.</exception>
    public static FileStream Open(string path)
    {
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1, FileOptions.SequentialScan);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new LedgerException($"{path} does not exist; expected a run's ledger.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new LedgerException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    public static IEnumerable<LedgerLine> Read(Stream stream, string path)
    {
        var buffer = new byte[1 << 16];
        int known = 0, begin = 0, searched = 0;
        long number = 0, offset = 0;
        while (true)
        {
            int length = buffer.AsSpan(searched, known - searched).IndexOf((byte)'\n');
            if (length >= 0)
            {
                int end = searched + length;
                yield return new LedgerLine(++number, offset + end + 1, buffer.AsMemory(begin, end - begin), IsWhole: true);
                begin = searched = end + 1;
                continue;
            }

            buffer.AsSpan(begin, known - begin).CopyTo(buffer);
            offset += begin;
            known -= begin;
            begin = 0;
            searched = known;
            if (known == LongestLine) throw new LedgerException($"{path} line {number + 1} is longer than {LongestLine:N0} bytes; expected a ledger.");
            if (known == buffer.Length) Array.Resize(ref buffer, 2 * buffer.Length);
            int read = stream.Read(buffer, known, buffer.Length - known);
            known += read;
            if (read > 0) continue;
            if (known > 0) yield return new LedgerLine(number + 1, offset + known, buffer.AsMemory(0, known), IsWhole: false);
            yield break;
        }
    }
}
