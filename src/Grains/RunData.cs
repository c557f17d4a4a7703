using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Grains;

/// <summary>A run's data in the words of <c>src/Genomics</c>.</summary>
public static class RunData
{
    /// <summary>The files a spec names, and what is done to their records.</summary>
    public static DataSources Sources(RunSpec spec) => new(
        [.. FileList.Split(spec.Data)], [.. FileList.Split(spec.ValData)], [.. FileList.Split(spec.TestData)], new RecordPreparation(FrameOf(spec.Frame), spec.StripGaps));

    /// <summary>How many records each set has.</summary>
    public static RecordSets Sets(DataSummary data) =>
        new(data.RecordCount - data.ValidationRecords - data.TestRecords, data.ValidationRecords, data.TestRecords);

    private static ReadingFrame FrameOf(FrameChoice choice) => choice switch
    {
        FrameChoice.Zero => ReadingFrame.Zero,
        FrameChoice.One => ReadingFrame.One,
        FrameChoice.Two => ReadingFrame.Two,
        FrameChoice.LongestOpen => ReadingFrame.LongestOpen,
        _ => ReadingFrame.Start,
    };
}
