using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Options;

/// <summary>
/// The JSON schema of run files (draft 2020-12), made of <see cref="RunOptions.All"/>: what editors complete and check.
/// It uses keywords that draft 7 has too, which editors of YAML know.
/// </summary>
internal static class RunFileSchema
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, NewLine = "\n", Encoder = RunSpec.JsonOptions.Encoder };

    /// <summary>The schema's text, with a final end of line.</summary>
    public static string Text()
    {
        var properties = new JsonObject();
        foreach (var option in RunOptions.All) properties[option.Key] = Property(option);
        properties[RunFile.Resolved] = Described("object", "what a run was resolved to; a run writes it into its run.json");
        properties[RunFile.Schema] = Described("string", "where this schema is");
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "GenSlmOrleans run file",
            ["description"] = "The settings of a run, for 'genslm train --config'; made by 'genslm config schema'.",
            ["type"] = "object",
            ["properties"] = properties,
            ["additionalProperties"] = false,
        };
        return schema.ToJsonString(Format) + "\n";
    }

    private static JsonObject Property(RunOption option)
    {
        var property = option.Kind switch
        {
            ValueKind.WholeNumber => Described("integer", option.Description),
            ValueKind.Number => Described("number", option.Description),
            ValueKind.Flag => Described("boolean", option.Description),
            ValueKind.Choice => Choice(option),
            ValueKind.Interval => Interval(option),
            ValueKind.Name => Name(option),
            _ => Described("string", option.Description),
        };
        SettingBounds.Describe(option, property);
        if (option.IsList) property["type"] = new JsonArray("string", "array");
        if (option.IsList) property["items"] = new JsonObject { ["type"] = "string" };
        if (Default(option) is { } value) property["default"] = value;
        return property;
    }

    private static JsonObject Choice(RunOption option)
    {
        var property = Described("string", option.Description);
        property["enum"] = new JsonArray([.. option.Words.Select(word => (JsonNode)word)]);
        return property;
    }

    // A number of steps is a number in YAML, quoted or not.
    private static JsonObject Interval(RunOption option)
    {
        var property = Described("string", option.Description);
        property["type"] = new JsonArray("string", "integer");
        property["pattern"] = "^ *0*[1-9][0-9]* *([Ss][Tt][Ee][Pp][Ss]?|[Ee][Pp][Oo][Cc][Hh][Ss]?)? *$";
        property["minimum"] = 1;
        return property;
    }

    private static JsonObject Name(RunOption option)
    {
        var property = Described("string", option.Description);
        property["pattern"] = "^[A-Za-z0-9_-][A-Za-z0-9._-]*$";
        property["maxLength"] = RunName.LongestChosen;
        return property;
    }

    // Nothing for what is decided where the run starts: the machine's cores, a folder named after the sequences.
    private static JsonNode? Default(RunOption option)
    {
        var value = option.Get(new TrainSettings());
        if (value.Length == 0 || option.Key == "threads") return null;
        return option.Kind switch
        {
            ValueKind.WholeNumber => long.Parse(value, CultureInfo.InvariantCulture),
            ValueKind.Number => double.Parse(value, CultureInfo.InvariantCulture),
            ValueKind.Flag => bool.Parse(value),
            _ => value,
        };
    }

    private static JsonObject Described(string type, string description) => new() { ["type"] = type, ["description"] = description };
}
