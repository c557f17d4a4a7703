using System.Globalization;
using System.Numerics;
using GenSlmOrleans.Client.Options;
using YamlDotNet.RepresentationModel;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>
/// GenSLM's training YAML, or one of its sections, read key by key as GenSLM's settings classes (pydantic) would take
/// them.
/// </summary>
internal sealed class GenSlmConfig
{
    private readonly string _path;
    private readonly string _prefix;
    private readonly Dictionary<string, YamlEntry> _entries;

    private GenSlmConfig(string path, string prefix, IEnumerable<YamlEntry> entries)
    {
        (_path, _prefix) = (path, prefix);
        _entries = entries.ToDictionary(entry => entry.Key, StringComparer.Ordinal);
    }

    /// <exception cref="UsageException">The file is missing, not YAML, or not one mapping.</exception>
    public static GenSlmConfig Read(string path) =>
        new(path, "", YamlFile.Read(path, "GenSLM configuration", "config.yaml", "batch_size: 8"));

    /// <summary>What the file has, in order.</summary>
    public IEnumerable<YamlEntry> Entries => _entries.Values.OrderBy(entry => entry.Line);

    /// <summary>The entry of a key; null when it is absent.</summary>
    public YamlEntry? Find(string key) => _entries.GetValueOrDefault(key);

    /// <summary>Whether the key is there with a value.</summary>
    public bool Has(string key) => Find(key) is { IsNull: false };

    /// <summary>The key's text; null when it is absent or null.</summary>
    /// <exception cref="UsageException">It is a list or a mapping.</exception>
    public string? Text(string key)
    {
        if (Find(key) is not { IsNull: false } entry) return null;
        return entry.Value is YamlScalarNode scalar ? scalar.Value ?? "" : throw Refused(key, "a list or a mapping; expected one value");
    }

    /// <summary>A path that GenSLM requires.</summary>
    /// <exception cref="UsageException">The key is absent or has no value.</exception>
    public string RequiredPath(string key) =>
        Text(key) is { Length: > 0 } path ? path : throw new UsageException($"{_path} has no {key}, which GenSLM requires; expected the YAML that GenSLM's training takes with -c.");

    /// <summary>The key's whole number, or <paramref name="default"/>; <paramref name="least"/> is the least that GenSLM can train with.</summary>
    /// <exception cref="UsageException">It is something else.</exception>
    public T Whole<T>(string key, T @default, T least)
        where T : struct, IBinaryInteger<T>
    {
        if (Find(key) is not { } entry) return @default;
        var text = Text(key)?.Replace("_", "");
        // 8.0 passes for 8, as in Python.
        if (text is not null && text.EndsWith(".0", StringComparison.Ordinal)) text = text[..^2];
        if (!T.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)) throw Refused(key, $"{Shown(entry)}; expected a whole number");
        return value >= least ? value : throw Refused(key, $"{value}; expected at least {least}");
    }

    /// <summary>The key's number, or <paramref name="default"/>.</summary>
    /// <exception cref="UsageException">It is something else.</exception>
    public double Number(string key, double @default)
    {
        if (Find(key) is not { } entry) return @default;
        return double.TryParse(Text(key)?.Replace("_", ""), NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
            ? value
            : throw Refused(key, $"{Shown(entry)}; expected a number");
    }

    /// <summary>The section of that name; null when it is absent or null.</summary>
    /// <exception cref="UsageException">It is no mapping.</exception>
    public GenSlmConfig? Section(string key)
    {
        if (Find(key) is not { IsNull: false } entry) return null;
        return entry.Value is YamlMappingNode mapping
            ? new GenSlmConfig(_path, key + ".", YamlFile.Entries(mapping, _path))
            : throw Refused(key, $"{Shown(entry)}; expected a mapping or null");
    }

    /// <summary>A sentence that names file, line and key.</summary>
    public UsageException Refused(string key, string problem) => new($"{_path} line {_entries[key].Line}: {_prefix}{key} is {problem}.");

    /// <summary>The entry's value, for messages.</summary>
    public static string Shown(YamlEntry entry)
    {
        const int Longest = 100;
        if (entry.IsNull) return "null";
        if (entry.Value is not YamlScalarNode scalar) return entry.Value is YamlMappingNode ? "(a mapping)" : "(a list)";
        var text = string.Concat((scalar.Value ?? "").Select(letter => char.IsControl(letter) ? '�' : letter));
        return text.Length <= Longest ? text : string.Concat(text.AsSpan(0, Longest), "…");
    }
}
