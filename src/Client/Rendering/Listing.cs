using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Client.Rendering;

/// <summary>A list of things on standard output: columns for people, an array for scripts.</summary>
internal static class Listing
{
    private const int Gap = 3;

    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        WriteIndented = true,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) },
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Columns as wide as their widest cell, a headline, a line a row.</summary>
    public static string Table(string[] headline, IEnumerable<string[]> rows)
    {
        string[][] all = [headline, .. rows];
        var widths = Enumerable.Range(0, headline.Length).Select(column => all.Max(row => row[column].Length) + Gap).ToArray();
        var text = new StringBuilder();
        foreach (var row in all) text.Append(string.Concat(row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd()).Append('\n');
        return text.ToString();
    }

    /// <summary>A JSON array, names in camel case.</summary>
    public static string Json<T>(IEnumerable<T> items) => JsonSerializer.Serialize(items, Options) + "\n";

    /// <summary>A JSON object, names in camel case.</summary>
    public static string JsonObject<T>(T item) => JsonSerializer.Serialize(item, Options) + "\n";

    /// <summary>The word for a value of an enumeration, in the table as in JSON.</summary>
    public static string Word<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}
