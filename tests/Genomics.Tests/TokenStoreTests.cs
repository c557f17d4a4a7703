using System.Text;
using GenSlmOrleans.Simulate;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class TokenStoreTests
{
    private const string Fasta = ">first\nATGGCCTAA\n>second one\nATGNNNA-\n>third\nGGC\n";

    // Their names and both tables exceed a megabyte each.
    private const int Records = 150_000;

    [Fact]
    public void A_store_gives_back_tokens_headers_and_counts()
    {
        using var folder = new TemporaryFolder();
        using var store = Build(folder, Fasta);
        Assert.Equal((3, 3 + 4 + 1, 3L, 1L, 4), (store.RecordCount, store.TokenCount, store.UnknownTokenCount, store.GapCount, store.MaximumLength));
        Assert.Equal([10, 6, 65], store.Tokens(0).ToArray());
        Assert.Equal([10, 0, 0, 0], store.Tokens(1).ToArray());
        Assert.Equal([5], store.Tokens(2).ToArray());
        Assert.Equal("second one", store.Header(1));
        using var rna = Build(folder, ">rna\nAUGUUUTAA\n");
        Assert.Equal((2L, 4L), (rna.UnknownTokenCount, rna.UracilCount));
        Assert.Equal("3 4 1, 2 2 1, 3 4 1", $"{string.Join(' ', store.Lengths(4))}, {string.Join(' ', store.Lengths(2))}, {string.Join(' ', store.Lengths(5))}");
        Assert.Equal((1, 2, 0), (store.RecordsLongerThan(3), store.RecordsLongerThan(2), store.RecordsLongerThan(4)));
    }

    [Fact]
    public void Micro_batches_are_cut_padded_and_counted()
    {
        using var folder = new TemporaryFolder();
        using var store = Build(folder, Fasta);
        var longest = MicroBatch.Assemble(store, [2, 0], 2, PaddingMode.Longest);
        Assert.Equal((2, 2, 3L, 1L), (longest.RecordCount, longest.Columns, longest.RealTokens, longest.PaddingTokens));
        Assert.Equal([5, 3, 10, 6], longest.TokenIds);
        Assert.Equal((1, 0), (longest.TruncatedRecords, MicroBatch.Assemble(store, [2, 0], 3, PaddingMode.Longest).TruncatedRecords));
        Assert.Equal([5, 3, 3, 3], MicroBatch.Assemble(store, [2], 4, PaddingMode.MaxLength).TokenIds);
    }

    [Fact]
    public void The_same_bytes_have_one_store_whatever_the_file_is_called()
    {
        using var folder = new TemporaryFolder();
        using var store = Build(folder, Fasta);
        using var again = TokenStoreBuilder.OpenOrBuild(folder.File("copy.fasta", Encoding.ASCII.GetBytes(Fasta)), folder.File("cache"));
        using var other = TokenStoreBuilder.OpenOrBuild(folder.File("other.fasta", Encoding.ASCII.GetBytes(Fasta + "A")), folder.File("cache"));
        Assert.Equal(store.SourceHash, again.SourceHash);
        Assert.NotEqual(store.SourceHash, other.SourceHash);
        Assert.Equal(2, Directory.GetFiles(folder.File("cache")).Length);
    }

    [Fact]
    public void A_damaged_store_is_refused_and_built_again()
    {
        using var folder = new TemporaryFolder();
        Build(folder, Fasta).Dispose();
        var path = Directory.GetFiles(folder.File("cache")).Single();
        var whole = File.ReadAllBytes(path);
        for (int place = 0; place < whole.Length; place += 3)
        {
            var damaged = whole.ToArray();
            damaged[place] ^= 0x55;
            File.WriteAllBytes(path, damaged);
            Assert.Throws<FastaException>(() => TokenStore.Open(path));
        }

        File.WriteAllBytes(path, whole[..^1]);
        Assert.Throws<FastaException>(() => TokenStore.Open(path));
        using var rebuilt = Build(folder, Fasta);
        Assert.Equal([10, 6, 65], rebuilt.Tokens(0).ToArray());
        Assert.Equal(whole, File.ReadAllBytes(path));
    }

    [Fact]
    public void Bad_sequences_leave_nothing_in_the_cache()
    {
        using var folder = new TemporaryFolder();
        Assert.Throws<FastaException>(() => Build(folder, ">a\nACG\n>b\n"));
        Assert.Throws<FastaException>(() => Build(folder, ManyRecords() + ">without sequence\n"));
        Assert.Empty(Directory.GetFileSystemEntries(folder.File("cache")));
    }

    [Fact]
    public void More_records_than_fit_the_buffers_are_all_found_again()
    {
        using var folder = new TemporaryFolder();
        using var store = Build(folder, ManyRecords());
        Assert.Equal((Records, 2L * Records), (store.RecordCount, store.TokenCount));
        for (int record = 0; record < Records; record++)
        {
            if (store.Header(record) != $"record number {record}") Assert.Fail($"record {record} is called '{store.Header(record)}'");
            if (store.Tokens(record)[1] != 5 + (record % 64)) Assert.Fail($"record {record} has token {store.Tokens(record)[1]}");
        }

        Assert.Single(Directory.GetFileSystemEntries(folder.File("cache")));
    }

    [Fact]
    public void What_a_killed_builder_left_goes_after_a_day_and_what_another_is_writing_stays()
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(folder.File("cache"));
        string left = folder.File("cache/.building-left"), written = folder.File("cache/.building-now.headers");
        File.WriteAllText(left, "");
        File.WriteAllText(written, "");
        File.SetLastWriteTimeUtc(left, File.GetLastWriteTimeUtc(written).AddHours(-25));
        Build(folder, Fasta).Dispose();
        Assert.Equal((false, true), (File.Exists(left), File.Exists(written)));
    }

    [Fact]
    public void A_disposed_store_says_so_and_does_not_end_the_process()
    {
        using var folder = new TemporaryFolder();
        var store = Build(folder, Fasta);
        store.Dispose();
        store.Dispose();
        Assert.Throws<ObjectDisposedException>(() => store.Tokens(0).Length);
        Assert.Throws<ObjectDisposedException>(() => store.Header(0));
    }

    [Fact]
    public async Task Several_builders_of_one_file_at_once_make_one_whole_store()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("big.fasta", Encoding.ASCII.GetBytes(CodonEvolution.Fasta(300, 200, 1)));
        var builders = Enumerable.Range(0, 6).Select(_ => Task.Run(() =>
        {
            using var store = TokenStoreBuilder.OpenOrBuild(path, folder.File("cache"));
            return (store.RecordCount, store.TokenCount);
        }));
        Assert.All(await Task.WhenAll(builders), counts => Assert.Equal((300, 300L * 200), counts));
        Assert.Single(Directory.GetFileSystemEntries(folder.File("cache")));
    }

    [Fact]
    public void The_sample_is_what_the_simulation_writes()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "samples", "influenza.fasta"))) folder = folder.Parent!;
        Assert.Equal(CodonEvolution.Fasta(200, 567, 1968), File.ReadAllText(Path.Combine(folder.FullName, "samples", "influenza.fasta")));
    }

    private static string ManyRecords() =>
        string.Concat(Enumerable.Range(0, Records).Select(i => $">record number {i}\nATG{CodonVocabulary.Word(5 + (i % 64))}\n"));

    private static TokenStore Build(TemporaryFolder folder, string fasta) =>
        TokenStoreBuilder.OpenOrBuild(folder.File("data.fasta", Encoding.ASCII.GetBytes(fasta)), folder.File("cache"));
}
