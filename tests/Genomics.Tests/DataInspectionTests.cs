using System.Text;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Genomics.Tests;

public sealed class DataInspectionTests
{
    [Fact]
    public void It_counts_what_training_would_see()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("x.fasta", Encoding.ASCII.GetBytes(">in frame\nATGGCCTAA\n>out of frame\nCCATGGCCGCCTAAGG\n>again\natggcctaa\n>no gene\nGCCGCCGCN-\n"));
        var seen = new List<RecordView>();
        var view = DataInspection.Of([path], RecordPreparation.None, batchSize: 4, sequenceLimit: 5, seen.Add);

        Assert.Equal((4, 16L, 3L, 1L, 0L, 1), (view.Records, view.Tokens, view.UnknownTokens, view.Gaps, view.Uracils, view.Duplicates));
        Assert.Equal((3, 3.5, 4.0, 6), (view.Lengths.Minimum, view.Lengths.Median, view.Lengths.Mean, view.Lengths.Maximum));
        Assert.Equal([2, 1, 0, 1], view.Lengths.Histogram.Select(bin => bin.Records));
        // All four in one batch: 3 + 5 + 3 + 4 of 4 × 5.
        Assert.Equal((0.25, 0.25, 1), (view.Padding.ToLongest, view.Padding.ToLimit, view.Padding.TruncatedRecords));
        // By length, two of 3 are beside each other, and 4 and 5.
        Assert.Equal(1 - (15.0 / 16), DataInspection.Of([path], RecordPreparation.None, batchSize: 2, sequenceLimit: 5).Padding.Bucketed, 1e-12);
        Assert.Equal([2, 0, 1], view.ReadingFrame.Frames);
        Assert.Equal((1, 1, 14L, 2L), (view.ReadingFrame.None, view.ReadingFrame.Changed, view.ReadingFrame.Tokens, view.ReadingFrame.UnknownTokens));
        Assert.Equal(new RecordView(path, "out of frame", 6, 1, new OpenReadingFrame(2, 12, HasStop: true)), seen[1]);
        Assert.Null(seen[3].Open);
    }

    [Fact]
    public void What_it_says_of_the_open_frame_is_what_comes_of_it()
    {
        using var folder = new TemporaryFolder();
        var path = Path.Combine(AppContext.BaseDirectory, "fixtures", "records.fasta");
        var before = DataInspection.Of([path], RecordPreparation.None, 2, 2048);
        var after = DataInspection.Of([path], new RecordPreparation(ReadingFrame.LongestOpen, StripGaps: false), 2, 2048);
        Assert.True(before.ReadingFrame.Changed > 0);
        Assert.Equal((before.ReadingFrame.Tokens, before.ReadingFrame.UnknownTokens), (after.Tokens, after.UnknownTokens));
        Assert.Equal(0, after.ReadingFrame.Changed);
    }

    [Fact]
    public void An_HDF5_file_is_inspected_by_its_tokens()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "fixtures", "genslm.h5");
        var view = DataInspection.Of([path], RecordPreparation.None, 2, 32);
        var sequences = DataInspection.Of([Path.Combine(AppContext.BaseDirectory, "fixtures", "records.fasta")], RecordPreparation.None, 2, 32);
        Assert.Equal((sequences.Records, 32), (view.Records, view.Lengths.Maximum));
        Assert.Equal(sequences.Padding.ToLimit, view.Padding.ToLimit, 1e-12);
        Assert.True(view.ReadingFrame.Frames.Sum() > 0);
    }
}
