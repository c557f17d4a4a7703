using System.IO.Compression;
using System.Text;
using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Genomics.Tests;

/// <summary>Damaged files, the same ones every time: each becomes the right token store or is refused in a sentence, in bounded time and memory. <c>bench/run fuzz</c> has more.</summary>
[Collection(Alone)]
public class FuzzTests
{
    internal const string Alone = "Fuzzing";

    private const int Cases = 600;

    public static TheoryData<string> Targets => [.. FuzzTargets.Sequences.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_damaged_file_is_read_rightly_or_refused(string name)
    {
        using var folder = new FuzzFolder();
        var session = new FuzzSession(FuzzTargets.Sequences.Single(target => target.Name == name), folder.Path, seed: 1);
        session.RunCases(0, Cases);
        Assert.Empty(session.Findings.Select(finding => $"case {finding.Case}: {finding.Sentence}"));
        // Both ends must be exercised, or the mutations are too mild or too wild to say anything.
        Assert.InRange(session.Accepted, Cases / 50, Cases - Cases / 50);
    }

    [Fact]
    public void A_gzip_bomb_is_refused_before_it_fills_memory_or_time() =>
        Assert.Contains("unpacks to more than 100 times its size", Refusal(Gzip(">a\n", new string('A', 5000) + "\n>b\n", 10_000)));

    [Fact]
    public void A_record_far_longer_than_its_gzip_file_is_refused()
    {
        var random = new Random(1);
        Assert.Contains("unpack the file first", Refusal(Gzip(">a\n", new string(random.GetItems("ACGT".AsSpan(), 1000)), 18_000)));
    }

    [Fact]
    public void A_header_in_a_refusal_is_cut_and_has_no_tabs()
    {
        Assert.Contains("record 'a b'", Refusal(">a\tb\n>c\nA\n"u8.ToArray()));
        Assert.Contains("record 'a b'", Refusal(">a\u009bb\n>c\nA\n"u8.ToArray()));
        Assert.InRange(Refusal(Encoding.ASCII.GetBytes($">{new string('x', 100_000)}\n")).Length, 100, 600);
    }

    [Fact]
    public void A_record_of_any_length_needs_no_more_memory_than_twice_its_file_and_a_little() =>
        Assert.True(Try(new FuzzInput("a.fasta", [.. ">a\n"u8, .. Enumerable.Repeat((byte)'C', 68_000_000)])).Accepted);

    [Fact]
    public void Rows_of_HDF5_chunks_are_held_only_as_far_as_memory_is_allowed()
    {
        using var folder = new FuzzFolder();
        var target = FuzzTargets.Sequences.Single(target => target.Name == "hdf5");
        var input = target.Extremes.Single(extreme => extreme.Name == "rows of chunks as wide as they may be").Create();
        Assert.Null(new FuzzRun(target, folder.Path).Try(input).Finding);
    }

    private static string Refusal(byte[] content)
    {
        Assert.False(Try(new FuzzInput("a.fasta", content)).Accepted);
        using var folder = new TemporaryFolder();
        return Assert.Throws<FastaException>(() => FastaReader.Read(folder.File("a.fasta", content)).Count()).Message;
    }

    private static FuzzOutcome Try(FuzzInput input)
    {
        using var folder = new FuzzFolder();
        var outcome = new FuzzRun(FuzzTargets.Sequences[0], folder.Path).Try(input);
        Assert.Null(outcome.Finding);
        return outcome;
    }

    private static byte[] Gzip(string before, string piece, int times)
    {
        using var bytes = new MemoryStream();
        using (var gzip = new GZipStream(bytes, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(Encoding.ASCII.GetBytes(before));
            var block = Encoding.ASCII.GetBytes(piece);
            for (int i = 0; i < times; i++) gzip.Write(block);
        }

        return bytes.ToArray();
    }
}

/// <summary>Memory in use is the process', so nothing else may run beside.</summary>
[CollectionDefinition(FuzzTests.Alone, DisableParallelization = true)]
public class FuzzingAlone;
