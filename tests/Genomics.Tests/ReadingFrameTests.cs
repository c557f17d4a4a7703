using System.Buffers;
using System.Text;
using CsCheck;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class ReadingFrameTests
{
    private static readonly Gen<string> Sequences = Gen.OneOf("ACGTacgtNn-".ToCharArray()).Array[0, 80].Select(letters => new string(letters));

    // Rich in ATG and stops, so that frames open and close.
    private static readonly Gen<string> Genes = Gen.OneOf("ATG", "TAA", "TGA", "TAG", "GCC", "A", "T", "G", "N").Array[0, 25].Select(parts => string.Concat(parts));

    [Fact]
    public void The_longest_open_frame_is_the_one_that_trying_every_start_finds() => Gen.OneOf(Sequences, Genes).Sample(
        sequence =>
        {
            var expected = Enumerable.Range(0, sequence.Length)
                .Where(start => string.CompareOrdinal(sequence.ToUpperInvariant(), start, "ATG", 0, 3) == 0)
                .Select(start => From(sequence.ToUpperInvariant(), start))
                .OrderByDescending(open => open.Length).ThenBy(open => open.Start)
                .Cast<OpenReadingFrame?>().FirstOrDefault();
            Assert.Equal(expected, OpenReadingFrame.Longest(Encoding.ASCII.GetBytes(sequence)));
        },
        iter: 5000,
        threads: 1);

    [Fact]
    public void A_record_cut_to_its_open_frame_begins_with_ATG_and_has_no_stop_but_at_its_end() => Genes.Sample(
        sequence =>
        {
            var tokens = Tokens(sequence, new RecordPreparation(ReadingFrame.LongestOpen, StripGaps: false));
            if (!sequence.Contains("ATG"))
            {
                Assert.Equal(Tokens(sequence, RecordPreparation.None), tokens);
                return;
            }

            Assert.Equal("ATG", CodonVocabulary.Word(tokens[0]));
            Assert.All(tokens[..^1], token => Assert.DoesNotContain(CodonVocabulary.Word(token), new[] { "TAA", "TAG", "TGA" }));
        },
        iter: 2000,
        threads: 1);

    [Fact]
    public void Frames_skip_letters_and_position_0_is_the_start_as_GenSLM_reads() => Sequences.Sample(
        sequence =>
        {
            var plain = Tokens(sequence, RecordPreparation.None);
            Assert.Equal(plain, Tokens(sequence, new RecordPreparation(ReadingFrame.Zero, StripGaps: false)));
            Assert.Equal(Tokens(sequence[Math.Min(1, sequence.Length)..], RecordPreparation.None), Tokens(sequence, new RecordPreparation(ReadingFrame.One, StripGaps: false)));
            Assert.Equal(Tokens(sequence[Math.Min(2, sequence.Length)..], RecordPreparation.None), Tokens(sequence, new RecordPreparation(ReadingFrame.Two, StripGaps: false)));
        },
        iter: 2000,
        threads: 1);

    [Fact]
    public void Gaps_that_go_leave_the_tokens_of_the_sequence_without_them_in_every_frame() => Gen.Select(Sequences, Gen.Enum<ReadingFrame>()).Sample(
        (sequence, frame) => Assert.Equal(
            Tokens(sequence.Replace("-", ""), new RecordPreparation(frame, StripGaps: false)), Tokens(sequence, new RecordPreparation(frame, StripGaps: true))),
        iter: 2000,
        threads: 1);

    /// <summary>Isolates as they are published begin before the start codon.</summary>
    [Fact]
    public void An_isolate_that_begins_17_letters_before_its_gene_is_in_frame_2()
    {
        const string Gene = "ATGAAGACTATCATTGCTTTGAGCTACATTCTATGTCTGGTTTTCGCTCAAAAACTTTAA";
        var isolate = Encoding.ASCII.GetBytes("AGCAAAAGCAGGGGATA" + Gene + "AATTC");
        Assert.Equal(new OpenReadingFrame(17, Gene.Length, HasStop: true), OpenReadingFrame.Longest(isolate));
        Assert.Equal(2, OpenReadingFrame.Longest(isolate)!.Value.Frame);
        Assert.Equal(new OpenReadingFrame(0, 57, HasStop: false), OpenReadingFrame.Longest(Encoding.ASCII.GetBytes(Gene[..^1])));
    }

    private static OpenReadingFrame From(string sequence, int start)
    {
        int place = start;
        for (; place + 3 <= sequence.Length; place += 3)
            if (sequence.Substring(place, 3) is "TAA" or "TAG" or "TGA") return new OpenReadingFrame(start, place + 3 - start, HasStop: true);
        return new OpenReadingFrame(start, place - start, HasStop: false);
    }

    private static byte[] Tokens(string sequence, RecordPreparation preparation)
    {
        var output = new ArrayBufferWriter<byte>();
        var letters = preparation.InFrame(preparation.WithoutGaps(Encoding.ASCII.GetBytes(sequence), new ArrayBufferWriter<byte>()));
        CodonTokenizer.Tokenize(letters.Span, output);
        return output.WrittenSpan.ToArray();
    }
}
