using System.Reflection;
using System.Text.Json.Serialization;

namespace GenSlmOrleans.Client.Options;

/// <summary>The words that options and run files use for an enumeration: those of its JSON form.</summary>
internal static class EnumText
{
    public static IEnumerable<string> Words<T>()
        where T : struct, Enum => Enum.GetValues<T>().Select(Word);

    public static string Word<T>(T value)
        where T : struct, Enum =>
        typeof(T).GetField(value.ToString())!.GetCustomAttribute<JsonStringEnumMemberNameAttribute>()!.Name;

    public static T? Parse<T>(string word)
        where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
            if (string.Equals(Word(value), word, StringComparison.OrdinalIgnoreCase)) return value;
        return null;
    }
}
