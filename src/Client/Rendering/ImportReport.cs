using System.Text;
using GenSlmOrleans.Client.GenSlm;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>What an import says on standard error: every key that is not in the run file as it was, and why.</summary>
internal static class ImportReport
{
    private static readonly (ImportOutcome Outcome, string Heading)[] Sections =
    [
        (ImportOutcome.NotFound, "Not found:"),
        (ImportOutcome.Changed, "In the run file, with a change:"),
        (ImportOutcome.LeftOut, "Not carried over:"),
        (ImportOutcome.Added, "Added, because GenSLM's training does it without a key:"),
        (ImportOutcome.WithoutEffect, "Not carried over, and nothing is lost:"),
    ];

    public static string Text(ImportedConfig import)
    {
        var text = new StringBuilder();
        text.Append($"{import.Source}: {import.CarriedCount} of {import.KeyCount} keys are in the run file.\n");
        foreach (var (outcome, heading) in Sections)
        {
            var notes = import.Notes.Where(note => note.Outcome == outcome).ToArray();
            if (notes.Length > 0) text.Append(heading).Append('\n');
            foreach (var line in outcome == ImportOutcome.WithoutEffect ? Grouped(notes) : notes.Select(Line)) text.Append("  ").Append(line).Append('\n');
        }

        return text.ToString();
    }

    // What is of no consequence is said once for all keys of a kind.
    private static IEnumerable<string> Grouped(IEnumerable<ImportNote> notes) => notes
        .GroupBy(note => note.Reason, StringComparer.Ordinal)
        .Select(group => $"{string.Join(", ", group.Select(note => $"{note.Key} (line {note.Line})"))} — {group.Key}");

    private static string Line(ImportNote note)
    {
        var text = new StringBuilder();
        if (note.Line > 0) text.Append($"line {note.Line}, ");
        text.Append(note.Key);
        text.Append(note.Found.Length > 0 ? $": {note.Found}" : note.Outcome == ImportOutcome.Added ? "" : " (GenSLM's default)");
        if (note.Became.Length > 0) text.Append(note.Outcome == ImportOutcome.NotFound ? $", now {note.Became}" : $" becomes {note.Became}");
        return text.Append($" — {note.Reason}").ToString();
    }
}
