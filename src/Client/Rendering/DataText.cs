using System.Text;
using System.Text.Json;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>An inspection of data as people and scripts read it.</summary>
internal static class DataText
{
    private const int BarWidth = 40;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>The object that --json prints; the records themselves only where they are wanted.</summary>
    public static string Json(DataView view, IReadOnlyList<RecordView>? records)
    {
        var json = JsonSerializer.SerializeToNode(view, Options)!.AsObject();
        json.Remove("records");
        json.Insert(1, "records", view.Records);
        if (records is not null) json["perRecord"] = JsonSerializer.SerializeToNode(records, Options);
        return json.ToJsonString(Options);
    }

    public static string Text(DataView view, IReadOnlyList<RecordView> records)
    {
        var text = new StringBuilder();
        foreach (var file in view.Files) Line(text, $"{file.Path}  {file.Records:N0} records");
        Line(text, $"records      {view.Records:N0}, {view.Tokens:N0} tokens");
        Line(text, $"lengths      {view.Lengths.Minimum:N0} to {view.Lengths.Maximum:N0} tokens, median {view.Lengths.Median:N1}, mean {view.Lengths.Mean:N1}");
        Histogram(text, view.Lengths);
        Line(text, $"unknown      {100 * view.UnknownShare:F2} % of the tokens ({view.UnknownTokens:N0}){(view.Uracils > 0 ? $"; {view.Uracils:N0} letters U: write RNA with T" : "")}");
        Line(text, $"gaps         {(view.Gaps == 0 ? "none" : $"{view.Gaps:N0} characters '-'; --strip-gaps leaves them out")}");
        Line(text, $"duplicates   {view.Duplicates:N0} records have the same tokens as one before them");
        Line(text, $"padding      at batch size {view.Padding.BatchSize}: {100 * view.Padding.ToLongest:F1} % to the longest record, {100 * view.Padding.Bucketed:F1} % with --bucket-by-length true, {100 * view.Padding.ToLimit:F1} % to {view.Padding.SequenceLimit:N0} tokens");
        Line(text, $"truncated    {view.Padding.TruncatedRecords:N0} records are longer than {view.Padding.SequenceLimit:N0} tokens");
        Frames(text, view);
        foreach (var record in records) Line(text, $"{record.Header}  {record.Tokens:N0} tokens, {record.UnknownTokens:N0} unknown; {OpenText(record.Open)}");
        return text.ToString().TrimEnd('\n');
    }

    private static void Histogram(StringBuilder text, LengthView lengths)
    {
        if (lengths.Histogram.Length < 2) return;
        int most = lengths.Histogram.Max(bin => bin.Records);
        int width = EventText.Invariant($"{lengths.Maximum:N0}").Length;
        foreach (var bin in lengths.Histogram)
        {
            var from = EventText.Invariant($"{bin.From:N0}").PadLeft(width);
            var to = EventText.Invariant($"{bin.To:N0}").PadLeft(width);
            // A bin that is not empty shows.
            int bar = (int)Math.Ceiling((double)bin.Records * BarWidth / most);
            Line(text, $"  {from}–{to}  {new string('█', bar)}{(bar > 0 ? " " : "")}{bin.Records:N0}");
        }
    }

    private static void Frames(StringBuilder text, DataView view)
    {
        var frames = view.ReadingFrame;
        Line(text, $"frames       the longest open reading frame is in frame 0 in {frames.Frames[0]:N0} records, 1 in {frames.Frames[1]:N0}, 2 in {frames.Frames[2]:N0}; {frames.None:N0} have none");
        if (frames.Changed == 0)
        {
            Line(text, $"  --frame orf would change nothing");
            return;
        }

        Line(text, $"  --frame orf would change {frames.Changed:N0} records: {frames.Tokens:N0} tokens instead of {view.Tokens:N0}, {100.0 * frames.UnknownTokens / frames.Tokens:F2} % unknown instead of {100 * view.UnknownShare:F2} %");
    }

    private static string OpenText(OpenReadingFrame? open) => open is { } found
        ? EventText.Invariant($"open reading frame {found.Start + 1:N0}–{found.Start + found.Length:N0}, frame {found.Frame}{(found.HasStop ? "" : ", without a stop")}")
        : "no open reading frame";

    private static void Line(StringBuilder text, FormattableString line) => text.Append(EventText.Invariant(line)).Append('\n');
}
