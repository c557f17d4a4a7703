using System.Text;
using GenSlmOrleans.Simulate;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class TokenStoreTests
{
    private const string Fasta = ">first\nATGGCCTAA\n>second one\nATGNNNA-\n>third\nGGC\n";

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
        Assert.Empty(Directory.GetFileSystemEntries(folder.File("cache")));
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

    private static TokenStore Build(TemporaryFolder folder, string fasta) =>
        TokenStoreBuilder.OpenOrBuild(folder.File("data.fasta", Encoding.ASCII.GetBytes(fasta)), folder.File("cache"));
}
