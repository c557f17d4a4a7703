namespace GenSlmOrleans.Formats;

/// <summary>Text from a file, made fit for an error message: a hostile name may hold anything, megabytes of it.</summary>
internal static class MessageText
{
    private const int LongestName = 120;

    /// <summary>The name in single quotes, cut, control characters replaced.</summary>
    public static string Quote(string name)
    {
        var shown = name.Length <= LongestName ? name : string.Concat(name.AsSpan(0, LongestName), "…");
        return string.Create(shown.Length + 2, shown, static (characters, text) =>
        {
            characters[0] = '\'';
            for (int i = 0; i < text.Length; i++)
                characters[i + 1] = char.IsControl(text[i]) || char.IsSurrogate(text[i]) ? '�' : text[i];
            characters[^1] = '\'';
        });
    }
}
