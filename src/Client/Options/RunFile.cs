using System.Text;
using System.Text.Json;
using GenSlmOrleans.Abstractions;
using YamlDotNet.RepresentationModel;

namespace GenSlmOrleans.Client.Options;

/// <summary>Run files: YAML, or JSON, which is YAML too, so that an output folder's run.json is one.</summary>
internal static class RunFile
{
    /// <summary>What a run was resolved to, in run.json; not a setting.</summary>
    public const string Resolved = "resolved";

    /// <summary>Where editors find the schema of a JSON file; not a setting.</summary>
    public const string Schema = "$schema";

    /// <summary>Applies a run file's keys to <paramref name="settings"/>.</summary>
    /// <exception cref="UsageException">The file is missing, not YAML, or has a key or value that is not known.</exception>
    public static TrainSettings Apply(TrainSettings settings, string path)
    {
        foreach (var entry in YamlFile.Read(path, "run file", "run.json", "batchSize: 2"))
        {
            var place = $"{path} line {entry.Line}";
            if (entry.Key == Schema) continue;
            if (entry.Key == Resolved)
            {
                if (entry.Value is not YamlMappingNode) throw new UsageException($"{place}: {Resolved} is not a mapping; only a run writes it, leave it out.");
                continue;
            }

            var option = RunOptions.Find(entry.Key, place);
            if (entry.IsNull) throw new UsageException($"{place}: {entry.Key} has no value; give one, or leave the key out for the default.");
            settings = Set(option, settings, Text(option, entry.Value, path, place), place);
        }

        return settings;
    }

    /// <summary>The settings as a run file.</summary>
    public static string Print(TrainSettings settings)
    {
        var text = new StringBuilder(SchemaHint.For(Environment.CurrentDirectory));
        foreach (var option in RunOptions.All.Where(option => !option.IsOfOneCall)) text.Append(Line(option, settings)).Append('\n');
        return text.ToString();
    }

    /// <summary>One setting as a line of a run file, without its end.</summary>
    public static string Line(RunOption option, TrainSettings settings)
    {
        var value = option.Get(settings);
        if (option.IsList && FileList.Split(value) is { Length: > 1 } items) return $"{option.Key}: [{string.Join(", ", items.Select(Quoted))}]";
        if (value.Any(char.IsControl)) return $"{option.Key}: {JsonSerializer.Serialize(value, RunSpec.JsonOptions)}";
        bool plain = option.Kind switch
        {
            ValueKind.Text or ValueKind.Name => IsPlainText(value),
            ValueKind.Interval => value.Length > 0 && value.All(char.IsAsciiLetterOrDigit),
            _ => true,
        };
        if (!plain) return $"{option.Key}: '{value.Replace("'", "''")}'";
        // YAML 1.1, Python's, takes 1E-05 for text.
        return option.Kind == ValueKind.Number && !value.Contains('.') ? $"{option.Key}: {value.Replace("E", ".0E")}" : $"{option.Key}: {value}";
    }

    private static string Text(RunOption option, YamlNode value, string path, string place) => value switch
    {
        YamlScalarNode scalar => scalar.Value ?? "",
        YamlSequenceNode list when option.IsList => FileList.Join(list.Select(item => item is YamlScalarNode { Value: { Length: > 0 } text }
            ? text
            : throw new UsageException($"{path} line {item.Start.Line}: {option.Key} has an item that is a list or a mapping; expected a file name."))),
        _ => throw new UsageException($"{place}: {option.Key} is a list or a mapping; expected {(option.IsList ? "a file name or a list of them" : "one value")}."),
    };

    private static string Quoted(string value) =>
        value.Any(char.IsControl) ? JsonSerializer.Serialize(value, RunSpec.JsonOptions) : $"'{value.Replace("'", "''")}'";

    // What YAML, of any version, takes for text without quotes.
    private static bool IsPlainText(string value) =>
        value.Length > 0
        && value.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_' or '/' or '+')
        && (char.IsAsciiLetter(value[0]) || value.StartsWith('/') || value.StartsWith("./", StringComparison.Ordinal) || value.StartsWith("../", StringComparison.Ordinal))
        && value.ToLowerInvariant() is not ("true" or "false" or "null" or "yes" or "no" or "on" or "off" or "y" or "n");

    private static TrainSettings Set(RunOption option, TrainSettings settings, string value, string place)
    {
        try
        {
            return option.Set(settings, value);
        }
        catch (UsageException exception)
        {
            throw new UsageException($"{place}: {exception.Message}");
        }
    }
}
