using System.Collections.Immutable;
using System.Reflection;
using System.Text.Json;

namespace GenSlmOrleans.Abstractions;

/// <summary>
/// What holds for every text and every choice of a spec, whichever they are: a spec comes from any client of the cluster. The
/// settings are found by reflection, so that a new one is not forgotten.
/// </summary>
internal static class RunSpecForm
{
    private const int LongestText = 100;
    private const int LongestPath = 4_096;

    // Some 40,000 paths of 100 letters.
    private const int LongestList = 1 << 22;

    private static readonly ImmutableHashSet<string> Lists = [nameof(RunSpec.Data), nameof(RunSpec.ValData), nameof(RunSpec.TestData)];
    private static readonly ImmutableHashSet<string> Paths = [nameof(RunSpec.Model), nameof(RunSpec.Weights), nameof(RunSpec.Output)];

    private static readonly ImmutableArray<PropertyInfo> Settings =
        [.. typeof(RunSpec).GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(property => property.CanWrite)];

    private static readonly ImmutableArray<PropertyInfo> Texts = [.. Settings.Where(setting => setting.PropertyType == typeof(string))];
    private static readonly ImmutableArray<PropertyInfo> Choices = [.. Settings.Where(setting => setting.PropertyType.IsEnum)];

    /// <summary>What is wrong, a sentence each.</summary>
    public static IEnumerable<string> Problems(RunSpec spec) =>
    [
        .. Texts.Select(setting => Problem(setting, (string?)setting.GetValue(spec))).OfType<string>(),
        .. Choices.Where(setting => !Enum.IsDefined(setting.PropertyType, setting.GetValue(spec)!))
            .Select(setting => $"{Key(setting)} is {Convert.ToInt64(setting.GetValue(spec), null)}, which is none of its values."),
    ];

    private static string? Problem(PropertyInfo setting, string? text)
    {
        if (text is null) return $"{Key(setting)} is null; it must be a text, which may be empty.";
        bool isList = Lists.Contains(setting.Name);
        int longest = isList ? LongestList : Paths.Contains(setting.Name) ? LongestPath : LongestText;
        if (text.Length > longest) return $"{Key(setting)} has {text.Length} letters; it must have at most {longest}.";
        if (isList && FileList.Split(text).FirstOrDefault(path => path.Length > LongestPath) is { } path)
            return $"{Key(setting)} has a path of {path.Length} letters; it must have at most {LongestPath}.";
        for (int i = 0; i < text.Length; i++)
        {
            bool isAllowed = !char.IsControl(text[i]) || (isList && text[i] == '\n');
            if (!isAllowed) return $"{Key(setting)} has the control character U+{(int)text[i]:X4} at letter {i + 1}; it must have none.";
            if (!char.IsSurrogate(text[i])) continue;
            if (i + 1 == text.Length || !char.IsSurrogatePair(text[i], text[i + 1])) return $"{Key(setting)} has half a character at letter {i + 1}; it must be Unicode.";
            i++;
        }

        return null;
    }

    private static string Key(PropertyInfo setting) => JsonNamingPolicy.CamelCase.ConvertName(setting.Name);
}
