using System.Text;
using CsCheck;
using GenSlmOrleans.Testing;
using ICSharpCode.SharpZipLib.GZip;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class FastaReaderTests
{
    [Fact]
    public void Line_ends_wrapping_blanks_and_compression_do_not_matter()
    {
        var letters = Gen.OneOf('A', 'C', 'G', 'T', 'a', 'n', '-').Array[1, 400].Select(array => new string(array));
        var records = Gen.Select(Gen.OneOf("one", "two words", "ü|3", ""), letters).Array[1, 6];
        Gen.Select(records, Gen.Int[1, 90], Gen.OneOf("\n", "\r\n"), Gen.Bool, Gen.Bool).Sample(
            (expected, width, lineEnd, endsInLineEnd, gzip) =>
            {
                var text = string.Concat(expected.Select(record => $">{record.Item1}{lineEnd}{string.Concat(record.Item2.Chunk(width).Select(line => new string(line) + lineEnd))}"));
                if (!endsInLineEnd) text = text[..^lineEnd.Length];
                var found = Read(gzip ? Gzip(text) : Encoding.UTF8.GetBytes(text));
                Assert.Equal(expected.Select(record => (record.Item1, record.Item2)), found);
            },
            iter: 300,
            threads: 1);
    }

    [Fact]
    public void Records_longer_than_any_buffer_and_gzip_of_several_members_are_read_whole()
    {
        var sequence = string.Concat(Enumerable.Repeat("ACGTTGCA", 200_000));
        Assert.Equal([("long", sequence)], Read(Encoding.ASCII.GetBytes($">long\n{sequence}\n")));
        byte[] members = [.. Gzip(">a\nACG\n"), .. Gzip("TTT\n>b\nAAA\n")];
        Assert.Equal([("a", "ACGTTT"), ("b", "AAA")], Read(members));
    }

    [Fact]
    public void Blanks_within_lines_and_empty_lines_are_left_out() =>
        Assert.Equal([("x", "ACGT")], Read("\n>x \n\n A C\tG\r\n\nT\n"u8.ToArray()));

    [Theory]
    [InlineData("", "is empty; expected FASTA")]
    [InlineData("\n\n", "holds no record; expected a header line")]
    [InlineData("ACGT\n", "line 1: found 'ACGT' before any header; expected a line that begins with '>'.")]
    [InlineData(">a\nACG\n>b\n>c\nACG\n", "line 3: record 'b' has no sequence;")]
    [InlineData(">a\nACG\n>b\n", "line 3: record 'b' has no sequence;")]
    [InlineData(">a\nAC\u0001G\n", "line 2: found byte 0x01, which is not text;")]
    [InlineData(">a\nACé\n", "line 2: found byte 0xc3, which is not text;")]
    [InlineData(">a\u0000b\nACG\n", "line 1: found byte 0x00 in a header, which is not text;")]
    [InlineData(">a\tb\u0000\nACG\n", "line 1: found byte 0x00 in a header, which is not text;")]
    public void Bad_content_is_one_sentence_that_names_file_and_line(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("bad.fasta", Encoding.UTF8.GetBytes(content));
        var exception = Assert.Throws<FastaException>(() => FastaReader.Read(path).Count());
        Assert.StartsWith(path, exception.Message);
        Assert.Contains(expected, exception.Message);
        Assert.DoesNotContain("\n", exception.Message);
    }

    [Fact]
    public void A_gzip_file_cut_off_anywhere_is_an_error_that_says_so()
    {
        var whole = Gzip($">a\n{string.Concat(Enumerable.Range(0, 3000).Select(i => "ACGT"[i * i % 7 % 4]))}\n");
        using var folder = new TemporaryFolder();
        for (int length = 2; length < whole.Length; length += Math.Max(1, whole.Length / 40))
        {
            var path = folder.File("cut.fasta.gz", whole.AsSpan(0, length));
            var exception = Assert.Throws<FastaException>(() => FastaReader.Read(path).Count());
            Assert.Contains("cut off or damaged", exception.Message);
        }

        var lastByte = Assert.Throws<FastaException>(() => FastaReader.Read(folder.File("cut.fasta.gz", whole.AsSpan(0, whole.Length - 1))).Count());
        Assert.Contains("expected a whole .gz file", lastByte.Message);
    }

    [Fact]
    public void A_damaged_later_gzip_member_loses_no_record_without_a_word()
    {
        byte[] first = Gzip(">a\nACG\n"), second = Gzip(">b\nAAA\n");
        second[0] ^= 1;
        Assert.Contains("cut off or damaged after line 3", Assert.Throws<FastaException>(() => Read([.. first, .. second])).Message);
    }

    [Fact]
    public void A_header_without_end_is_refused_before_it_fills_the_memory()
    {
        var longest = new string('x', FastaReader.MaximumHeaderSizeBytes);
        Assert.Equal([(longest, "ACG")], Read(Encoding.ASCII.GetBytes($">{longest}\nACG\n")));
        var exception = Assert.Throws<FastaException>(() => Read(Encoding.ASCII.GetBytes($">a\nACG\n>{longest}x\nACG\n")));
        Assert.StartsWith("test line 3: a header of more than", exception.Message);
    }

    [Fact]
    public void Missing_files_and_folders_are_named()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("does not exist", Assert.Throws<FastaException>(() => FastaReader.Read(folder.File("none.fasta")).Count()).Message);
        Assert.Contains("cannot be opened", Assert.Throws<FastaException>(() => FastaReader.Read("").Count()).Message);
        Assert.Contains("cannot be opened", Assert.Throws<FastaException>(() => FastaReader.Read(new string('a', 5000)).Count()).Message);
        Assert.Contains("is a folder", Assert.Throws<FastaException>(() => FastaReader.Read(folder.Path).Count()).Message);
    }

    [Fact]
    public void Damaged_files_are_read_or_refused_never_anything_else()
    {
        byte[][] valid = [Encoding.ASCII.GetBytes(">a\nACGTAC\n>b\nTTTGGG\n"), Gzip(">a\nACGTAC\n>b\nTTTGGG\n")];
        Gen.Select(Gen.OneOf(valid), Gen.Select(Gen.Int[0, 200], Gen.Byte).Array[1, 5], Gen.Int[0, 60]).Sample(
            (content, changes, cut) =>
            {
                var bytes = content.ToArray();
                foreach (var (place, value) in changes) bytes[place % bytes.Length] = value;
                try
                {
                    Read(bytes[..Math.Max(1, bytes.Length - cut)]);
                }
                catch (FastaException)
                {
                    // Refused in a sentence: what is asked for.
                }
            },
            iter: 4000,
            threads: 1);
    }

    private static List<(string Header, string Sequence)> Read(byte[] content) =>
        [.. FastaReader.Read(new MemoryStream(content), "test").Select(record => (record.Header, Encoding.ASCII.GetString(record.Sequence.Span)))];

    private static byte[] Gzip(string text)
    {
        var bytes = new MemoryStream();
        using (var gzip = new GZipOutputStream(bytes) { IsStreamOwner = false }) gzip.Write(Encoding.UTF8.GetBytes(text));
        return bytes.ToArray();
    }
}
