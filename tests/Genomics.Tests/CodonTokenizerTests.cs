using System.Buffers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using CsCheck;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Genomics.Tests;

public sealed partial class CodonTokenizerTests
{
    [Theory]
    [InlineData("ATGGCC", new[] { 10, 6 })]
    [InlineData("atgGcc", new[] { 10, 6 })]
    [InlineData("ATGG", new[] { 10, 0 })]
    [InlineData("ATGGC", new[] { 10, 0 })]
    [InlineData("A", new[] { 0 })]
    [InlineData("ATN", new[] { 0 })]
    [InlineData("AUG", new[] { 0 })]
    [InlineData("A--", new[] { 0, 0 })]
    [InlineData("AC-", new[] { 0, 0 })]
    [InlineData("A-C", new[] { 0, 0, 0 })]
    [InlineData("---", new[] { 0 })]
    [InlineData("-*-ATG", new[] { 0, 10 })]
    [InlineData("A_1", new[] { 0 })]
    [InlineData("TAATGATAG", new[] { 65, 67, 68 })]
    public void Groups_of_three_are_looked_up_and_signs_cut_them(string sequence, int[] expected) => Assert.Equal(expected, Ids(sequence));

    [Fact]
    public void Tokens_are_those_of_the_rules_written_down_as_regular_expressions()
    {
        var letters = Gen.OneOf("ACGTacgtNn-*U_.7?".ToCharArray());
        letters.Array[0, 60].Sample(
            array =>
            {
                var sequence = new string(array);
                var expected = Groups().Matches(sequence.ToUpperInvariant()).SelectMany(group => Pieces().Matches(group.Value))
                    .Select(piece => Math.Max(0, CodonVocabulary.Words.IndexOf(piece.Value))).ToArray();
                Assert.Equal(expected, Ids(sequence));
            },
            iter: 5000,
            threads: 1);
    }

    [Fact]
    public void Counts_tell_unknown_tokens_gaps_and_uracil()
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.Equal(new TokenizedRecord(7, 6, 3, 2), CodonTokenizer.Tokenize("ATGA-CN--UuG"u8, output));
        Assert.Equal(7, output.WrittenCount);
        Assert.Equal(new TokenizedRecord(2, 0, 0, 0), CodonTokenizer.Tokenize("ATGTAA"u8, output));
    }

    [Fact]
    public void The_vocabulary_is_all_codons_in_GenSLMs_order()
    {
        Assert.Equal(CodonVocabulary.Size, CodonVocabulary.Words.Length);
        Assert.Equal(64, CodonVocabulary.Words.Skip(5).Distinct().Count(word => word.Length == 3 && word.All("ACGT".Contains)));
        Assert.Equal(("[UNK]", "[PAD]", "ATG", "TAG"), (CodonVocabulary.Word(0), CodonVocabulary.Word(3), CodonVocabulary.Word(10), CodonVocabulary.Word(68)));
        for (int id = 5; id < CodonVocabulary.Size; id++)
            Assert.Equal(id, CodonVocabulary.IdOf((byte)CodonVocabulary.Word(id)[0], (byte)CodonVocabulary.Word(id)[1], (byte)CodonVocabulary.Word(id)[2]));
    }

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    public void Tokens_of_the_reference_records_are_the_references(string set)
    {
        using var json = JsonDocument.Parse(File.ReadAllText(SharedFolder.File("reference", set, "tokens.json")));
        int limit = json.RootElement.TryGetProperty("limit", out var found) ? found.GetInt32() : 128;
        var expected = json.RootElement.GetProperty("ids").Deserialize<int[][]>()!;
        var ids = FastaReader.Read(SharedFolder.File("reference", set, "records.fasta")).Select(record => Ids(Encoding.ASCII.GetString(record.Sequence.Span)).Take(limit).ToArray()).ToArray();
        Assert.Equal(expected, ids);
    }

    [Fact]
    public void Edge_cases_of_the_reference_are_the_references()
    {
        using var json = JsonDocument.Parse(File.ReadAllText(SharedFolder.File("reference", "published", "tokens.json")));
        foreach (var known in json.RootElement.EnumerateArray())
        {
            var found = Ids(known.GetProperty("sequence").GetString()!).Take(known.GetProperty("limit").GetInt32());
            Assert.True(known.GetProperty("ids").Deserialize<int[]>()!.SequenceEqual(found), known.GetProperty("case").GetString());
        }
    }

    private static int[] Ids(string sequence)
    {
        var output = new ArrayBufferWriter<byte>();
        CodonTokenizer.Tokenize(Encoding.ASCII.GetBytes(sequence), output);
        return [.. output.WrittenSpan.ToArray().Select(id => (int)id)];
    }

    [GeneratedRegex(".{1,3}", RegexOptions.None, 1000)]
    private static partial Regex Groups();

    [GeneratedRegex(@"\w+|[^\w\s]+", RegexOptions.None, 1000)]
    private static partial Regex Pieces();
}
