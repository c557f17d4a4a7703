using System.Globalization;
using System.Numerics;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Client.Options;

/// <summary>What the values of a setting are.</summary>
internal enum ValueKind
{
    Text,
    WholeNumber,
    Number,

    /// <summary>One of <see cref="RunOption.Words"/>.</summary>
    Choice,

    /// <summary>True or false.</summary>
    Flag,

    /// <summary>See <see cref="ValidationInterval"/>.</summary>
    Interval,

    /// <summary>A name that becomes part of a folder's.</summary>
    Name,
}

/// <summary>One setting: a key of the run file and an option of the console.</summary>
/// <param name="Key">In camel case, as in run files.</param>
/// <param name="Placeholder">What help shows for the value; empty: a flag.</param>
/// <param name="Description">For help.</param>
/// <param name="Set">Settings and a value's text → settings.</param>
/// <param name="Get">The value's text.</param>
internal sealed record RunOption(
    string Key,
    string Placeholder,
    string Description,
    Func<TrainSettings, string, TrainSettings> Set,
    Func<TrainSettings, string> Get)
{
    /// <summary><c>batchSize</c> → <c>--batch-size</c>.</summary>
    public string OptionName => "--" + string.Concat(Key.Select(letter => char.IsUpper(letter) ? $"-{char.ToLowerInvariant(letter)}" : $"{letter}"));

    public bool IsFlag => Placeholder.Length == 0;

    public ValueKind Kind { get; init; } = Placeholder.Length == 0 ? ValueKind.Flag : ValueKind.Text;

    /// <summary>The values of a choice.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>True for what is about one call of the console and not about the run: no run file has it.</summary>
    public bool IsOfOneCall { get; init; }

    /// <summary>Whether there may be several values: the option given again, a list in the run file. Set and Get have a line for each.</summary>
    public bool IsList { get; init; }

    /// <summary>Files of the spec; the option may be given more than once.</summary>
    public static RunOption Files(string key, string placeholder, string description, Func<RunSpec, string, RunSpec> set, Func<RunSpec, string> get) =>
        Text(key, placeholder, description, set, get) with { IsList = true };

    /// <summary>The option's value, one of the spec's texts.</summary>
    public static RunOption Text(string key, string placeholder, string description, Func<RunSpec, string, RunSpec> set, Func<RunSpec, string> get) =>
        new(key, placeholder, description, (settings, text) => settings with { Spec = set(settings.Spec, text) }, settings => get(settings.Spec));

    /// <summary>A flag of the spec.</summary>
    public static RunOption Flag(string key, string description, Func<RunSpec, bool, RunSpec> set, Func<RunSpec, bool> get) =>
        Text(key, "", description, (spec, text) => set(spec, ParseFlag(key, text)), spec => FlagText(get(spec)));

    /// <summary>A number of the spec.</summary>
    public static RunOption Number<T>(string key, string description, Func<RunSpec, T, RunSpec> set, Func<RunSpec, T> get)
        where T : struct, INumberBase<T> => new(
            key,
            typeof(T) == typeof(double) ? "X" : "N",
            description,
            (settings, text) => settings with { Spec = set(settings.Spec, ParseNumber<T>(key, text)) },
            settings => get(settings.Spec).ToString(null, CultureInfo.InvariantCulture))
        { Kind = typeof(T) == typeof(double) ? ValueKind.Number : ValueKind.WholeNumber };

    /// <summary>A choice of the spec.</summary>
    public static RunOption Choice<T>(string key, string description, Func<RunSpec, T, RunSpec> set, Func<RunSpec, T> get)
        where T : struct, Enum => new(
            key,
            string.Join('|', EnumText.Words<T>()),
            description,
            (settings, text) => settings with
            {
                Spec = set(settings.Spec, EnumText.Parse<T>(text)
                    ?? throw new UsageException($"{key} is '{text}'; expected one of {string.Join(", ", EnumText.Words<T>())}. Did you mean {NearestName.Of(text, EnumText.Words<T>())}?")),
            },
            settings => EnumText.Word(get(settings.Spec)))
        { Kind = ValueKind.Choice, Words = [.. EnumText.Words<T>()] };

    /// <summary>No thousands separators: '0,001' would pass for 1.</summary>
    public static T ParseNumber<T>(string key, string text)
        where T : struct, INumberBase<T> =>
        T.TryParse(text, typeof(T) == typeof(double) ? NumberStyles.Float : NumberStyles.Integer, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new UsageException($"{key} is '{text}'; expected {(typeof(T) == typeof(double) ? "a number" : "a whole number")}.");

    public static bool ParseFlag(string key, string text) => text.ToLowerInvariant() switch
    {
        "true" => true,
        "false" => false,
        _ => throw new UsageException($"{key} is '{text}'; expected true or false."),
    };

    /// <summary>How a flag's value is written.</summary>
    public static string FlagText(bool value) => value ? "true" : "false";
}
