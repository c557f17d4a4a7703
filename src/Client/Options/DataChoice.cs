using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Options;

/// <summary>What a spec says of data, in the words of <c>src/Genomics</c>.</summary>
internal static class DataChoice
{
    /// <summary>The files a spec names, and what is done to their records.</summary>
    public static DataSources Sources(RunSpec spec) =>
        new([.. FileList.Split(spec.Data)], [.. FileList.Split(spec.ValData)], [.. FileList.Split(spec.TestData)], Preparation(spec.Frame, spec.StripGaps));

    public static RecordPreparation Preparation(FrameChoice frame, bool stripGaps) => new(
        frame switch
        {
            FrameChoice.Zero => ReadingFrame.Zero,
            FrameChoice.One => ReadingFrame.One,
            FrameChoice.Two => ReadingFrame.Two,
            FrameChoice.LongestOpen => ReadingFrame.LongestOpen,
            _ => ReadingFrame.Start,
        },
        stripGaps);
}
