using System.IO.Compression;
using System.Text;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class GzipMembersTests
{
    private const string First = ">a\nACGTACGTTT\n";
    private const string Second = ">b\nTTTGGGCCCA\n";

    [Fact]
    public void A_flipped_bit_anywhere_is_an_error_or_changes_nothing()
    {
        byte[] whole = [.. Member(First), .. Member(Second)];
        Assert.Equal(First + Second, Text(whole));
        int refused = 0;
        for (int bit = 0; bit < 8 * whole.Length; bit++)
        {
            var damaged = whole.ToArray();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            if (TextOrNull(damaged) is { } text) Assert.Equal(First + Second, text);
            else refused++;
        }

        // The rest is in what carries no data: times, the kind of compression, the operating system.
        Assert.InRange(refused, 8 * (whole.Length - (2 * 7)), 8 * whole.Length);
    }

    [Fact]
    public void A_file_that_ends_within_a_later_member_is_an_error()
    {
        byte[] first = Member(First), second = Member(Second);
        for (int length = 1; length < second.Length; length++)
            Assert.Throws<EndOfStreamException>(() => Text([.. first, .. second.AsSpan(0, length)]));
    }

    [Fact]
    public void Zeros_after_the_last_member_are_padding_and_anything_else_is_an_error()
    {
        Assert.Equal(First, Text([.. Member(First), .. new byte[700]]));
        Assert.Throws<InvalidDataException>(() => Text([.. Member(First), .. "more"u8]));
        Assert.Throws<InvalidDataException>(() => Text([.. Member(First), .. new byte[700], 1]));
        Assert.Throws<InvalidDataException>(() => Text([.. Member(First), .. new byte[3], .. Member(Second)]));
    }

    [Fact]
    public void Optional_parts_of_a_head_are_passed_over()
    {
        var plain = Member(First);
        byte[] head = [.. plain.AsSpan(0, 3), 2 | 4 | 8 | 16, .. plain.AsSpan(4, 6), 3, 0, 7, 7, 7, .. "name\0"u8, .. "a comment\0"u8, 9, 9];
        Assert.Equal(First, Text([.. head, .. plain.AsSpan(10)]));
    }

    [Fact]
    public void Blocks_as_bgzip_writes_them_are_one_text()
    {
        // Its last block is empty.
        var end = Convert.FromHexString("1f8b08040000000000ff0600424302001b0003000000000000000000");
        byte[][] members = [.. Enumerable.Range(0, 50).Select(i => Member($">record {i}\nACGT\n")), end];
        Assert.Equal(string.Concat(Enumerable.Range(0, 50).Select(i => $">record {i}\nACGT\n")), Text([.. members.SelectMany(bytes => bytes)]));
    }

    private static string? TextOrNull(byte[] content)
    {
        try
        {
            return Text(content);
        }
        catch (Exception exception) when (exception is not Xunit.Sdk.IAssertionException)
        {
            return null;
        }
    }

    private static string Text(byte[] content)
    {
        using var members = new GzipMembers(new MemoryStream(content));
        var text = new MemoryStream();
        var buffer = new byte[5];
        for (int count; (count = members.Read(buffer, 0, buffer.Length)) > 0;) text.Write(buffer, 0, count);
        return Encoding.ASCII.GetString(text.ToArray());
    }

    private static byte[] Member(string text)
    {
        var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(Encoding.ASCII.GetBytes(text));
        return bytes.ToArray();
    }
}
