using System.Text;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>Rows of text under headings, each column as wide as its widest cell.</summary>
internal sealed class TextTable(params string[] headings)
{
    private readonly List<string[]> _rows = [headings];

    public void Add(params string[] cells) => _rows.Add(cells);

    /// <summary>A name from a file, fit for a terminal: no control characters, and not longer than a line.</summary>
    public static string Clean(string name)
    {
        const int Longest = 160;
        var shown = name.Length <= Longest ? name : string.Concat(name.AsSpan(0, Longest), "…");
        return string.Concat(shown.Select(letter => char.IsControl(letter) || char.IsSurrogate(letter) ? '\ufffd' : letter));
    }

    public override string ToString()
    {
        var widths = headings.Select((_, column) => _rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in _rows)
        {
            for (int column = 0; column < row.Length; column++)
                text.Append(column == row.Length - 1 ? row[column] : row[column].PadRight(widths[column] + 2));
            while (text.Length > 0 && text[^1] == ' ') text.Length--;
            text.Append('\n');
        }

        return text.ToString();
    }
}
