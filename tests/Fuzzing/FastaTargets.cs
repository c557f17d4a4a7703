using System.Buffers;
using System.IO.Compression;
using System.Text;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Fuzzing;

/// <summary>
/// FASTA: read, tokenised, and made into a token store in a cache folder. The store is compared with the records, and
/// these with what a parser of a few lines makes of the text. A refused file leaves nothing in the cache.
/// </summary>
public class FastaTarget : SequenceTarget
{
    // What is done to the letters depends on the size of the file, so that a file says all of its case.
    private static readonly RecordPreparation[] s_preparations =
    [
        RecordPreparation.None, RecordPreparation.None, RecordPreparation.None, new(ReadingFrame.Start, StripGaps: true),
        new(ReadingFrame.Two, StripGaps: false), new(ReadingFrame.LongestOpen, StripGaps: true),
    ];

    private static readonly string[] s_texts =
    [
        ">a first\nACGTAC\n>b\nTTTGGG\nAC\n",
        ">x\r\nATGGCC\r\nNNN\r\n\r\n>y z\r\nACG-UU acg\r\n",
        $">long\n{string.Concat(Enumerable.Repeat("ACGTTGCAGG", 60))}\n>é\nATG*\n",
    ];

    /// <inheritdoc/>
    public override string Name => "fasta";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
    [
        ("a record of 100 MB", () => Input([.. ">a\n"u8, .. Enumerable.Repeat((byte)'A', 100_000_000)])),
        ("a record of 100 MB that is all gaps", () => Input([.. ">a\n"u8, .. Alternating(100_000_000)])),
        ("a header of 50 MB", () => Input([(byte)'>', .. Enumerable.Repeat((byte)'x', 50_000_000)])),
        ("two million records", () => Input(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(">\nA\n", 2_000_000))))),
        ("50 MB of line ends", () => Input([.. ">a"u8, .. Enumerable.Repeat((byte)'\n', 50_000_000)])),
    ];

    /// <inheritdoc/>
    public override FuzzInput Create(Random random) => Input(Text(random));

    /// <inheritdoc/>
    protected override RecordPreparation PreparationOf(long sizeBytes) => s_preparations[sizeBytes % s_preparations.Length];

    /// <inheritdoc/>
    protected override void CheckStore(TokenStore store, FuzzInput input, string path)
    {
        var expected = Simple(Plain(input.Files[0].Content));
        var preparation = PreparationOf(input.SizeBytes);
        var (tokens, spare) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        FuzzFindingException.ThrowUnless(store.RecordCount == expected.Count, $"There are {store.RecordCount} records; the text has {expected.Count}.");
        int index = 0;
        foreach (var record in FastaReader.Read(path))
        {
            var (header, sequence) = expected[index];
            FuzzFindingException.ThrowUnless(!header.Any(letter => letter < ' ' && letter != '\t'), "A header has control characters.");
            FuzzFindingException.ThrowUnless(record.Header == header && store.Header(index) == header, $"Record {index} has the header '{record.Header}'; '{header}' is expected.");
            FuzzFindingException.ThrowUnless(record.Sequence.Span.SequenceEqual(sequence), $"Record {index} has other letters than the text.");
            tokens.ResetWrittenCount();
            CodonTokenizer.Tokenize(preparation.InFrame(preparation.WithoutGaps(sequence, spare)).Span, tokens);
            FuzzFindingException.ThrowUnless(tokens.WrittenSpan.SequenceEqual(store.Tokens(index)), $"Record {index} has other tokens in the store.");
            index++;
        }

        FuzzFindingException.ThrowUnless(index == store.RecordCount, $"There are {store.RecordCount} records in the store and {index} in the file.");
    }

    /// <summary>Damaged text.</summary>
    protected static byte[] Text(Random random)
    {
        var text = Encoding.UTF8.GetBytes(s_texts[random.Next(s_texts.Length)]);
        return random.Next(8) == 0 ? ByteMutation.Splice(random, text, Encoding.UTF8.GetBytes(s_texts[random.Next(s_texts.Length)])) : ByteMutation.Mutate(random, text);
    }

    /// <summary>The text itself.</summary>
    protected virtual byte[] Plain(byte[] content) => content;

    private static FuzzInput Input(byte[] content) => new("damaged.fasta", content);

    private static byte[] Alternating(int length)
    {
        var bytes = new byte[length];
        for (int i = 0; i < length; i++) bytes[i] = i % 2 == 0 ? (byte)'-' : (byte)'A';
        return bytes;
    }

    // Whole lines at once, as a script would: of accepted text only.
    private static List<(string Header, byte[] Sequence)> Simple(byte[] text)
    {
        var records = new List<(string Header, List<byte> Sequence)>();
        for (int start = 0; start < text.Length;)
        {
            int end = text.AsSpan(start).IndexOf((byte)'\n');
            var line = end < 0 ? text.AsSpan(start) : text.AsSpan(start, end);
            start += line.Length + 1;
            if (line is [(byte)'>', .. var header]) records.Add((Encoding.UTF8.GetString(header).TrimEnd('\r').Trim(), []));
            else foreach (byte letter in line) if (letter is not ((byte)' ' or (byte)'\t' or (byte)'\r')) records[^1].Sequence.Add(letter);
        }

        return [.. records.Select(record => (record.Header, record.Sequence.ToArray()))];
    }
}

/// <summary>Gzipped FASTA: damaged text compressed soundly, one member or several; damaged members with a mended trailer; damaged bytes.</summary>
public sealed class GzipFastaTarget : FastaTarget
{
    /// <inheritdoc/>
    public override string Name => "fasta-gz";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
    [
        ("a record of 1 GB in 1 MB", () => Bomb(">a\n"u8, "A"u8, 1_000_000_000)),
        ("a header of 1 GB in 1 MB", () => Bomb(">"u8, "x"u8, 1_000_000_000)),
        ("300 million blanks", () => Bomb(">a\n"u8, " "u8, 300_000_000)),
        ("20 million records in 100 kB", () => Bomb(">a\nA\n"u8, ">\nA\n"u8, 80_000_000)),
        ("a million empty members", () => Input([.. Enumerable.Repeat(Compress([]), 200_000).SelectMany(member => member)])),
    ];

    /// <inheritdoc/>
    public override FuzzInput Create(Random random)
    {
        var text = Text(random);
        switch (random.Next(10))
        {
            case < 4: return Input(Compress(text));
            case 4:
                int cut = random.Next(text.Length + 1);
                return Input([.. Compress(text.AsSpan(0, cut)), .. Compress(text.AsSpan(cut))]);
            case 5: return Input(ByteMutation.Splice(random, Compress(text), Compress(text)));
            case 6: return Input([.. Compress(text), .. ByteMutation.Mutate(random, Compress(text))]);
            case 7: return Input(WithHead(random, Compress(text)));
            default: return Input(ByteMutation.Mutate(random, Compress(text)));
        }
    }

    /// <inheritdoc/>
    protected override byte[] Plain(byte[] content)
    {
        if (content is not [0x1f, 0x8b, ..]) return content;
        using var plain = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(content), CompressionMode.Decompress)) gzip.CopyTo(plain);
        return plain.ToArray();
    }

    private static FuzzInput Input(byte[] content) => new("damaged.fasta.gz", content);

    private static byte[] Compress(ReadOnlySpan<byte> text)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(text);
        return bytes.ToArray();
    }

    // A member's head with optional fields, some of them longer than the file.
    private static byte[] WithHead(Random random, byte[] member)
    {
        if (member.Length < 10) return member;
        var head = member[..10];
        head[3] = (byte)(random.Next(4) == 0 ? random.Next(256) : random.Next(32) & ~2);
        var fields = new List<byte>();
        int extra = random.Next(5) == 0 ? random.Next(65536) : 5;
        if ((head[3] & 4) != 0) fields.AddRange([(byte)extra, (byte)(extra >> 8), 1, 2, 3, 4, 5]);
        if ((head[3] & 8) != 0) fields.AddRange("name.fasta\0"u8);
        if ((head[3] & 16) != 0) fields.AddRange(random.Next(5) == 0 ? "no end"u8 : "comment\0"u8);
        return [.. head, .. fields, .. member[10..]];
    }

    private static FuzzInput Bomb(ReadOnlySpan<byte> before, ReadOnlySpan<byte> piece, int length)
    {
        var block = new byte[1 << 16];
        for (int i = 0; i < block.Length; i++) block[i] = piece[i % piece.Length];
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(before);
            for (int done = 0; done < length; done += block.Length) gzip.Write(block);
        }

        return Input(bytes.ToArray());
    }
}
