namespace GenSlmOrleans.Abstractions;

/// <summary>Several files in one text, a path a line: how a spec names its data.</summary>
public static class FileList
{
    /// <summary>The paths, in order; none of an empty text.</summary>
    public static string[] Split(string files) => files.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public static string Join(IEnumerable<string> paths) => string.Join('\n', paths);

    /// <summary>The files in a sentence.</summary>
    public static string Text(string files) => Split(files) switch
    {
        [] => "",
        [var only] => only,
        [var first, _] => $"{first} and one more file",
        [var first, .. var others] => $"{first} and {others.Length} more files",
    };
}
