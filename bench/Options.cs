using System.Globalization;

namespace GenSlmOrleans.Bench;

/// <summary>A bench's options: <c>--name value</c>.</summary>
internal sealed class Options
{
    private readonly Dictionary<string, string> _values = new(StringComparer.Ordinal);

    public Options(ReadOnlySpan<string> arguments, params string[] names)
    {
        for (int i = 0; i < arguments.Length; i += 2)
        {
            var argument = arguments[i];
            if (!argument.StartsWith("--", StringComparison.Ordinal) || !names.Contains(argument[2..]))
                throw new UsageException($"There is no option '{argument}'; expected {string.Join(", ", names.Select(name => "--" + name))}.");
            if (i + 1 == arguments.Length) throw new UsageException($"{argument} lacks its value.");
            _values[argument[2..]] = arguments[i + 1];
        }
    }

    /// <summary>An option's text; null where it is not given.</summary>
    public string? Text(string name) => _values.GetValueOrDefault(name);

    /// <summary>The preset that <c>--model</c> names.</summary>
    public string Model(string otherwise = "genslm_25M_patric")
    {
        var name = Text("model") ?? otherwise;
        _ = Measurement.Preset(name);
        return name;
    }

    /// <summary>An option's number, at least 1.</summary>
    public int Number(string name, int otherwise)
    {
        if (!_values.TryGetValue(name, out var text)) return otherwise;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value) && value > 0
            ? value
            : throw new UsageException($"--{name} is '{text}'; expected a whole number above 0.");
    }
}
