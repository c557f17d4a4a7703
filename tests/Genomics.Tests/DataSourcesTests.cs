using System.Collections.Immutable;
using System.Text;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class DataSourcesTests
{
    private static readonly RecordPreparation OpenFrame = new(ReadingFrame.LongestOpen, StripGaps: true);

    [Fact]
    public void Records_come_in_the_order_of_the_sets_and_of_the_files_in_them()
    {
        using var folder = new TemporaryFolder();
        var (a, b, c, d) = (Fasta(folder, "a", 2), Fasta(folder, "b", 1), Fasta(folder, "c", 3), Fasta(folder, "d", 1));
        using var store = TokenStoreBuilder.OpenOrBuild(new DataSources([b, a], [d], [c], RecordPreparation.None), folder.File("cache"));
        Assert.Equal("b0 a0 a1 d0 c0 c1 c2", string.Join(' ', Enumerable.Range(0, store.RecordCount).Select(store.Header)));
        Assert.Equal(new RecordSets(3, 1, 3), store.Sets);
        var split = DataSplit.Create(store.Sets, validationFraction: 0.5, seed: 1);
        Assert.Equal(("0 1 2", "3", "4 5 6"), (string.Join(' ', split.Training), string.Join(' ', split.Validation), string.Join(' ', split.Test)));
    }

    [Fact]
    public void Without_a_validation_set_the_main_records_are_split_as_they_always_were()
    {
        var split = DataSplit.Create(new RecordSets(10, Validation: 0, Test: 2), validationFraction: 0.3, seed: 5);
        var alone = DataSplit.Create(10, validationFraction: 0.3, seed: 5);
        Assert.Equal((alone.Training, alone.Validation), (split.Training, split.Validation), (x, y) => x.Training.SequenceEqual(y.Training) && x.Validation.SequenceEqual(y.Validation));
        Assert.Equal([10, 11], split.Test);
        Assert.Empty(alone.Test);
    }

    [Fact]
    public void The_hash_of_one_file_is_its_own_and_that_of_several_covers_all_in_order_and_by_set()
    {
        using var folder = new TemporaryFolder();
        var (a, b) = (Fasta(folder, "a", 2), Fasta(folder, "b", 1));
        static DataSources Main(params ImmutableArray<string> paths) => new(paths, [], [], RecordPreparation.None);
        var expected = System.IO.Hashing.XxHash128.HashToUInt128(File.ReadAllBytes(a)).ToString("x32");
        Assert.Equal(new DataFingerprint(expected, new RecordSets(2)), DataFingerprint.Of(Main(a)));
        string[] hashes = [.. new[] { Main(a), Main(b), Main(a, b), Main(b, a), Main(a) with { Validation = [b] }, Main(a) with { Test = [b] } }.Select(sources => DataFingerprint.Of(sources).Hash)];
        Assert.Equal(hashes.Length, hashes.Distinct(StringComparer.Ordinal).Count());
        using var store = TokenStoreBuilder.OpenOrBuild(Main(a, b), folder.File("cache"));
        Assert.Equal((hashes[2], hashes[2]), (store.SourceHash, DataFingerprint.Of(Main(a, b) with { Preparation = OpenFrame }).Hash));
    }

    [Fact]
    public void The_same_data_prepared_otherwise_are_another_store()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("x.fasta", ">x\nCCA-TGGCCTA-AGG\n"u8);
        var sources = DataSources.Of(path);
        using var plain = TokenStoreBuilder.OpenOrBuild(sources, folder.File("cache"));
        using var open = TokenStoreBuilder.OpenOrBuild(sources with { Preparation = OpenFrame }, folder.File("cache"));
        using var again = TokenStoreBuilder.OpenOrBuild(sources with { Preparation = new RecordPreparation(ReadingFrame.Zero, StripGaps: false) }, folder.File("cache"));
        Assert.Equal("ATG GCC TAA", string.Join(' ', open.Tokens(0).ToArray().Select(id => CodonVocabulary.Word(id))));
        Assert.Equal((2L, 0L), (plain.GapCount, open.GapCount));
        Assert.True(plain.Tokens(0).SequenceEqual(again.Tokens(0)));
        Assert.Equal(2, Directory.GetFiles(folder.File("cache"), "*.tokens").Length);
    }

    [Theory]
    [InlineData("x\n--\n", ReadingFrame.Start, true)]
    [InlineData("x\nAC\n", ReadingFrame.Two, false)]
    public void A_record_of_which_nothing_is_left_is_refused_by_file_and_line(string record, ReadingFrame frame, bool stripGaps)
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("x.fasta", Encoding.ASCII.GetBytes(">whole\nATGGCC\n>" + record));
        var sources = DataSources.Of(path) with { Preparation = new RecordPreparation(frame, stripGaps) };
        Assert.Contains($"{path} line 3: nothing is left of record 'x'", Assert.Throws<FastaException>(() => DataFingerprint.Of(sources)).Message);
        Assert.Throws<FastaException>(() => TokenStoreBuilder.OpenOrBuild(sources, folder.File("cache")));
        Assert.Empty(Directory.GetFiles(folder.File("cache")));
    }

    [Fact]
    public void Patterns_are_expanded_sorted_each_in_its_place_and_a_file_counts_once()
    {
        using var folder = new TemporaryFolder();
        foreach (var name in new[] { "seqs/b.fasta", "seqs/a.fasta", "seqs/a.txt", "seqs/deep/er/c.fasta", "seqs/.hidden.fasta", "z.fasta", "odd[1]*.fasta" })
        {
            Directory.CreateDirectory(Path.GetDirectoryName(folder.File(name))!);
            folder.File(name, ">x\nATG\n"u8);
        }

        string Expand(params string[] patterns) => string.Join(' ', FilePatterns.Expand(patterns.Select(folder.File)).Select(path => Path.GetRelativePath(folder.Path, path)));
        Assert.Equal("z.fasta seqs/a.fasta seqs/b.fasta", Expand("z.fasta", "seqs/*.fasta"));
        Assert.Equal("seqs/a.fasta seqs/b.fasta seqs/deep/er/c.fasta", Expand("seqs/**/*.fasta"));
        Assert.Equal("seqs/a.fasta seqs/a.txt", Expand("s?qs/a.*"));
        Assert.Equal("odd[1]*.fasta", Expand("odd[1]*.fasta"));
        Assert.Equal("not-there.fasta", Expand("not-there.fasta"));
        Assert.Contains("No file matches", Assert.Throws<FastaException>(() => Expand("seqs/*.fa")).Message);
        Assert.Contains("a.fasta is named twice", Assert.Throws<FastaException>(() => Expand("seqs/a.fasta", "seqs/*.fasta")).Message);
    }

    private static string Fasta(TemporaryFolder folder, string name, int records) => folder.File(
        name + ".fasta", Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, records).Select(record => $">{name}{record}\nATGGCC\n"))));
}
