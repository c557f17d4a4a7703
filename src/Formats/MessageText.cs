namespace GenSlmOrleans.Formats;

/// <summary>Text from a file, made fit for an error message: a hostile name may hold anything, megabytes of it.</summary>
internal static class MessageText
{
    private const int LongestName = 120;
    private const int LongestSentence = 300;

    /// <summary>The name in single quotes, cut, control characters replaced.</summary>
    public static string Quote(string name) => $"'{Tame(name, LongestName)}'";

    /// <summary>What another library says about a file, which may quote it at length: cut, control characters replaced.</summary>
    public static string Quote(Exception error) => Tame(error.Message, LongestSentence);

    private static string Tame(string text, int longest)
    {
        var shown = text.Length <= longest ? text : string.Concat(text.AsSpan(0, longest), "…");
        return string.Create(shown.Length, shown, static (characters, shown) =>
        {
            for (int i = 0; i < shown.Length; i++)
                characters[i] = char.IsControl(shown[i]) || char.IsSurrogate(shown[i]) ? '�' : shown[i];
        });
    }
}
