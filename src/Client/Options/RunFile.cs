using System.Text;
using GenSlmOrleans.Abstractions;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace GenSlmOrleans.Client.Options;

/// <summary>Run files: YAML, or JSON, which is YAML too, so that an output folder's run.json is one.</summary>
internal static class RunFile
{
    /// <summary>What a run was resolved to, in run.json; not a setting.</summary>
    private const string Resolved = "resolved";

    /// <summary>Applies a run file's keys to <paramref name="settings"/>.</summary>
    /// <exception cref="UsageException">The file is missing, not YAML, or has a key or value that is not known.</exception>
    public static TrainSettings Apply(TrainSettings settings, string path)
    {
        foreach (var (key, value) in Mapping(path))
        {
            if (key is not YamlScalarNode { Value: { } name }) throw new UsageException($"{path} line {key.Start.Line} has a key that is not a word; expected 'key: value'.");
            if (name == Resolved) continue;
            var option = RunOptions.Find(name, $"{path} line {key.Start.Line}");
            settings = option.Set(settings, Text(option, value, path));
        }

        return settings;
    }

    /// <summary>The settings as a run file.</summary>
    public static string Print(TrainSettings settings)
    {
        var text = new StringBuilder();
        foreach (var option in RunOptions.All.Where(option => option.IsOfTheRun))
        {
            var values = option.IsList ? FileList.Split(option.Get(settings)) : [option.Get(settings)];
            text.Append(option.Key).Append(": ").Append(values.Length == 1 ? Scalar(values[0]) : $"[{string.Join(", ", values.Select(Scalar))}]").Append('\n');
        }

        return text.ToString();
    }

    private static string Text(RunOption option, YamlNode value, string path) => value switch
    {
        YamlScalarNode scalar => scalar.Value ?? "",
        YamlSequenceNode list when option.IsList => FileList.Join(list.Select(item => item is YamlScalarNode { Value: { } text }
            ? text
            : throw new UsageException($"{path} line {item.Start.Line}: {option.Key} has an item that is a list or a mapping; expected a file name."))),
        _ => throw new UsageException($"{path} line {value.Start.Line}: {option.Key} is a list or a mapping; expected {(option.IsList ? "a file name or a list of them" : "one value")}."),
    };

    private static string Scalar(string value)
    {
        bool plain = value.Length > 0 && value.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-' or '_' or '/' or '+') && value[0] != '-';
        return plain ? value : $"'{value.Replace("'", "''")}'";
    }

    private static YamlMappingNode Mapping(string path)
    {
        if (Directory.Exists(path)) throw new UsageException($"{path} is a folder; expected a run file such as {Path.Combine(path, "run.json")}.");
        if (!File.Exists(path)) throw new UsageException($"The run file {path} does not exist.");
        try
        {
            using var reader = File.OpenText(path);
            var yaml = new YamlStream();
            yaml.Load(reader);
            if (yaml.Documents.Count == 0) return [];
            return yaml.Documents[0].RootNode as YamlMappingNode
                ?? throw new UsageException($"{path} is not a mapping; expected lines such as 'batchSize: 2'.");
        }
        catch (YamlException exception)
        {
            throw new UsageException($"{path} line {exception.Start.Line}: {(exception.InnerException?.Message ?? exception.Message).TrimEnd('.')}. Expected lines such as 'batchSize: 2'.");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"The run file {path} cannot be read: {exception.Message}");
        }
    }
}
