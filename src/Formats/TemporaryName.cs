using System.Diagnostics.CodeAnalysis;

namespace GenSlmOrleans.Formats;

/// <summary>Names of what is not finished: <c>.name.32-hex-digits.partial</c>, hidden, beside the final place.</summary>
internal static class TemporaryName
{
    private const string Ending = ".partial";
    private const int Digits = 32;

    public static string Beside(string finalPath) =>
        Path.Combine(Path.GetDirectoryName(finalPath)!, $".{Path.GetFileName(finalPath)}.{Guid.NewGuid():N}{Ending}");

    public static bool IsTemporary(string path)
    {
        var name = Path.GetFileName(path.AsSpan());
        if (!name.StartsWith('.') || !name.EndsWith(Ending, StringComparison.Ordinal)) return false;
        name = name[..^Ending.Length];
        return name.Length > Digits + 1 && name[^(Digits + 1)] == '.' && Guid.TryParseExact(name[^Digits..], "N", out _);
    }

    [SuppressMessage("Design", "CA1031", Justification = "The error that led here matters; a leftover can be removed later.")]
    public static void TryRemoveFile(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception)
        {
            // Recognisable by its name, and removed by AtomicFolder.RemoveLeftovers.
        }
    }
}
