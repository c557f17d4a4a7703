using System.Buffers;
using System.Diagnostics;
using GenSlmOrleans.Genomics.Hdf5;
using GenSlmOrleans.Testing;
using PureHDF;
using PureHDF.Filters;
using PureHDF.VOL.Native;

namespace GenSlmOrleans.Genomics.Tests;

/// <summary>HDF5 files that h5py wrote as GenSLM does (fixtures/make_fixtures.py), and what can be wrong with one.</summary>
public sealed class Hdf5TokenFileTests
{
    private const int BlockSize = 32;

    [Theory]
    [InlineData("genslm.h5")]
    [InlineData("resizable.h5")]
    [InlineData("latest.h5")]
    [InlineData("shuffled.h5")]
    [InlineData("plain.h5")]
    public void Tokens_are_those_of_the_sequences_that_the_file_was_made_of(string name)
    {
        var expected = Expected();
        Assert.Contains(expected, ids => ids.Length == BlockSize);
        Assert.Equal(expected, Read(Fixture(name)));
    }

    [Fact]
    public void A_list_of_chunks_may_have_pages()
    {
        var tokens = Read(Fixture("paged.h5"));
        Assert.Equal([.. Expected(), .. Expected(), .. Expected()], tokens);
    }

    /// <summary>PureHDF writes what h5py does not: chunks without an index, one chunk, headers of the second format.</summary>
    [Theory]
    [InlineData(5, 10, false)]
    [InlineData(5, 10, true)]
    [InlineData(14, 32, true)]
    [InlineData(14, 32, false)]
    [InlineData(1, 1, false)]
    public void Another_library_s_files_are_read_too(uint chunkRows, uint chunkColumns, bool packed)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("pure.h5");
        var expected = Expected();
        var (ids, mask) = (new long[expected.Length, BlockSize], new long[expected.Length, BlockSize]);
        for (int row = 0; row < expected.Length; row++)
        {
            for (int column = 0; column < BlockSize; column++)
            {
                bool real = column < expected[row].Length;
                (ids[row, column], mask[row, column]) = real ? (expected[row][column], 1) : (CodonVocabulary.PadId, 0);
            }
        }

        var creation = new H5DatasetCreation(Filters: packed ? [ShuffleFilter.Id, DeflateFilter.Id] : []);
        var file = new H5File
        {
            ["input_ids"] = new H5Dataset(ids, chunks: [chunkRows, chunkColumns], datasetCreation: creation),
            ["attention_mask"] = new H5Dataset(mask, chunks: [chunkRows, chunkColumns], datasetCreation: creation),
        };
        file.Write(path);
        Assert.Equal(expected, Read(path));
    }

    [Fact]
    public void A_store_of_such_a_file_has_its_tokens_and_its_own_hash()
    {
        using var folder = new TemporaryFolder();
        using var store = TokenStoreBuilder.OpenOrBuild(Fixture("genslm.h5"), folder.Path);
        using var other = TokenStoreBuilder.OpenOrBuild(Fixture("plain.h5"), folder.Path);
        var tokens = Read(Fixture("genslm.h5"));
        for (int record = 0; record < store.RecordCount; record++) Assert.Equal(tokens[record], store.Tokens(record).ToArray());
        Assert.Equal((tokens.Length, tokens.Sum(row => row.Count(id => id == 0)), "row 4"), (store.RecordCount, store.UnknownTokenCount, store.Header(4)));
        Assert.NotEqual(store.SourceHash, other.SourceHash);
    }

    [Theory]
    [InlineData("linked.h5", "its input_ids is a link to somewhere else; give the file that has the data")]
    [InlineData("unlimited.h5", "input_ids is resizable and was written with libver='latest'")]
    [InlineData("virtual.h5", "input_ids has its values in other files; give those files themselves, in this order")]
    public void What_cannot_be_read_is_refused(string name, string expected) => Assert.Contains(expected, Refusal(Fixture(name)));

    [Fact]
    public void A_frame_or_gaps_cannot_be_applied_to_tokens()
    {
        using var folder = new TemporaryFolder();
        var sources = DataSources.Of(Fixture("genslm.h5")) with { Preparation = new RecordPreparation(ReadingFrame.LongestOpen, StripGaps: false) };
        var exception = Assert.Throws<FastaException>(() => TokenStoreBuilder.OpenOrBuild(sources, folder.Path));
        Assert.Contains("holds tokens, not letters", exception.Message);
        Assert.Empty(Directory.GetFiles(folder.Path));
    }

    public static TheoryData<string, long[,], long[,], string> BadContents() => new()
    {
        { "no vocabulary's id", new long[,] { { 10, 70, 3 } }, new long[,] { { 1, 1, 0 } }, "input_ids[0, 1] is 70; expected an id of GenSLM's vocabulary" },
        { "no byte", new long[,] { { 10, 11, 3 }, { 10, -1, 3 } }, new long[,] { { 1, 1, 0 }, { 1, 1, 0 } }, "input_ids[1, 1] is 18446744073709551615, or below 0" },
        { "padding that counts", new long[,] { { 10, 3, 3 } }, new long[,] { { 1, 1, 0 } }, "input_ids[0, 1] is 3; expected" },
        { "nothing", new long[,] { { 10, 11, 3 } }, new long[,] { { 0, 0, 0 } }, "attention_mask[0, 0] is 0; expected a row of ones" },
        { "a hole", new long[,] { { 10, 11, 12 } }, new long[,] { { 1, 0, 1 } }, "attention_mask[0, 2] is 1; expected zeros behind the record's 1 ones" },
        { "padding on the left", new long[,] { { 3, 11, 12 } }, new long[,] { { 0, 1, 1 } }, "attention_mask[0, 0] is 0" },
        { "no mask's number", new long[,] { { 10, 11, 12 } }, new long[,] { { 1, 2, 0 } }, "attention_mask[0, 1] is 2" },
        { "two shapes", new long[,] { { 10, 11, 12 } }, new long[,] { { 1, 1 } }, "input_ids has the shape [1 × 3], attention_mask [1 × 2]; expected the same" },
    };

    [Theory]
    [MemberData(nameof(BadContents))]
    public void A_row_that_makes_no_record_is_named(string what, long[,] ids, long[,] mask, string expected)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("bad.h5");
        new H5File { ["input_ids"] = ids, ["attention_mask"] = mask }.Write(path);
        Assert.True(Refusal(path).Contains(expected, StringComparison.Ordinal), $"{what}: {Refusal(path)}");
    }

    [Fact]
    public void Datasets_of_other_names_kinds_or_dimensions_are_refused()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("bad.h5");
        new H5File { ["input_ids"] = new long[,] { { 10 } } }.Write(path);
        Assert.Contains("it has no dataset attention_mask", Refusal(path));
        new H5File { ["input_ids"] = new double[,] { { 10 } }, ["attention_mask"] = new long[,] { { 1 } } }.Write(path);
        Assert.Contains("input_ids has elements of class 1 and 8 bytes", Refusal(path));
        new H5File { ["input_ids"] = new long[] { 10 }, ["attention_mask"] = new long[] { 1 } }.Write(path);
        Assert.Contains("input_ids has the shape [1]", Refusal(path));
    }

    [Fact]
    public void A_chunk_that_unpacks_to_more_than_it_may_is_refused_before_it_is_unpacked()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("bomb.h5");
        var whole = File.ReadAllBytes(Fixture("genslm.h5"));
        // A chunk's data are swapped for as many bytes of a stream that unpacks to 64 MiB, as far as they go.
        using var packed = new MemoryStream();
        using (var zlib = new System.IO.Compression.ZLibStream(packed, System.IO.Compression.CompressionLevel.SmallestSize, leaveOpen: true)) zlib.Write(new byte[1 << 26]);
        int place = whole.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x78, 0x9c]);
        Assert.True(place > 0);
        packed.ToArray().AsSpan(0, 200).CopyTo(whole.AsSpan(place));
        File.WriteAllBytes(path, whole);
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("bytes unpacks to more", Refusal(path));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 22);
    }

    /// <summary>Bytes changed, cut off, or written over with numbers that are large, at every place that the seed leads to.</summary>
    [Theory]
    [InlineData("genslm.h5", 1500)]
    [InlineData("latest.h5", 1000)]
    [InlineData("paged.h5", 1000)]
    [InlineData("shuffled.h5", 500)]
    public void A_damaged_file_is_a_sentence_or_its_tokens_and_never_anything_else(string name, int cases)
    {
        using var folder = new TemporaryFolder();
        var whole = File.ReadAllBytes(Fixture(name));
        var path = folder.File("damaged.h5");
        int refused = 0;
        for (ulong i = 0; i < (ulong)cases; i++)
        {
            File.WriteAllBytes(path, Mutation(whole, i));
            var clock = Stopwatch.StartNew();
            if (Outcome(path) is not null) refused++;
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(2), $"case {i} took {clock.Elapsed}");
        }

        Assert.InRange(refused, cases / 10, cases);
    }

    private static byte[] Mutation(byte[] whole, ulong index)
    {
        int Draw(int bound, ulong what) => CounterRandom.Below(bound, index, RandomPurpose.Simulation, what, 0);
        var bytes = whole.ToArray();
        for (ulong change = 0; change <= index % 3; change++)
        {
            // Structure lies at the beginning: half of the changes go there.
            int place = Draw(Draw(2, (10 * change) + 1) == 0 ? Math.Min(4096, bytes.Length) : bytes.Length, (10 * change) + 2);
            switch (Draw(5, (10 * change) + 3))
            {
                case 0:
                    bytes[place] ^= (byte)(1 << Draw(8, (10 * change) + 4));
                    break;
                case 1:
                    bytes[place] = 0xff;
                    break;
                case 2:
                    bytes.AsSpan(place, Math.Min(8, bytes.Length - place)).Fill(0x7f);
                    break;
                case 3:
                    bytes.AsSpan(Draw(bytes.Length - 8, (10 * change) + 5), 8).CopyTo(bytes.AsSpan(Math.Min(place, bytes.Length - 8)));
                    break;
                default:
                    if (index % 7 == 0) return bytes[..Math.Max(8, place)];
                    bytes[place] = (byte)Draw(256, (10 * change) + 6);
                    break;
            }
        }

        return bytes;
    }

    private static string? Outcome(string path)
    {
        try
        {
            if (Hdf5TokenFile.IsHdf5(path)) Read(path);
            return null;
        }
        catch (FastaException exception)
        {
            Assert.DoesNotContain('\n', exception.Message);
            return exception.Message;
        }
    }

    private static string Refusal(string path) => Outcome(path) ?? throw new InvalidOperationException($"{path} was read");

    private static byte[][] Expected() =>
        [.. FastaReader.Read(Fixture("records.fasta")).Select(record => Ids(record.Sequence.Span).Take(BlockSize).ToArray())];

    private static byte[][] Read(string path) => [.. Hdf5TokenFile.Read(path, CancellationToken.None).Select(tokens => tokens.ToArray())];

    private static string Fixture(string name) => Path.Combine(AppContext.BaseDirectory, "fixtures", name);

    private static byte[] Ids(ReadOnlySpan<byte> sequence)
    {
        var output = new ArrayBufferWriter<byte>();
        CodonTokenizer.Tokenize(sequence, output);
        return output.WrittenSpan.ToArray();
    }
}
