using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.RepresentationModel;

namespace GenSlmOrleans.Client.Options;

/// <summary>One line of a settings file.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Line">Where the key stands, from 1.</param>
/// <param name="Value">What was given.</param>
internal sealed record YamlEntry(string Key, long Line, YamlNode Value)
{
    /// <summary>Whether the value is YAML's or JSON's null, or nothing at all.</summary>
    public bool IsNull => Value is YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" or "Null" or "NULL" };
}

/// <summary>Settings files: YAML, or JSON, which is YAML too; one mapping from words to values.</summary>
internal static class YamlFile
{
    // Far beyond any settings; YamlDotNet reads nested values by recursion and long files into memory.
    private const int DeepestNesting = 64;
    private const long LongestFile = 4 << 20;

    /// <summary>The entries of the file, in order.</summary>
    /// <param name="path">The file.</param>
    /// <param name="kind">What is expected, for messages: "run file".</param>
    /// <param name="inFolder">The file's usual name in a folder, for messages.</param>
    /// <param name="example">A line as it is expected, for messages.</param>
    /// <exception cref="UsageException">The file is missing, too long, or not one mapping.</exception>
    public static IReadOnlyList<YamlEntry> Read(string path, string kind, string inFolder, string example)
    {
        var text = Text(path, kind, inFolder);
        try
        {
            Inspect(text, path);
            var yaml = new YamlStream();
            yaml.Load(new StringReader(text));
            return yaml.Documents.Count switch
            {
                0 => [],
                1 => yaml.Documents[0].RootNode is YamlMappingNode mapping
                    ? Entries(mapping, path)
                    : throw new UsageException($"{path} is not a mapping; expected lines such as '{example}'."),
                _ => throw new UsageException($"{path} line {yaml.Documents[1].RootNode.Start.Line}: a second document begins; expected one."),
            };
        }
        catch (YamlException exception)
        {
            throw new UsageException($"{path} line {exception.Start.Line}: {(exception.InnerException?.Message ?? exception.Message).TrimEnd('.')}. Expected lines such as '{example}'.");
        }
    }

    /// <summary>The entries of a mapping whose keys <see cref="Read"/> has looked at.</summary>
    /// <exception cref="UsageException">A key is not a word.</exception>
    public static IReadOnlyList<YamlEntry> Entries(YamlMappingNode mapping, string path) =>
    [
        .. mapping.Select(entry => new YamlEntry(
            (entry.Key as YamlScalarNode)?.Value ?? throw NotAWord(path, entry.Key.Start.Line), entry.Key.Start.Line, entry.Value)),
    ];

    private static string Text(string path, string kind, string inFolder)
    {
        if (Directory.Exists(path)) throw new UsageException($"{path} is a folder; expected a {kind} such as {Path.Combine(path, inFolder)}.");
        if (!File.Exists(path)) throw new UsageException($"The {kind} {path} does not exist.");
        try
        {
            using var reader = File.OpenText(path);
            if (reader.BaseStream.Length > LongestFile)
                throw new UsageException($"The {kind} {path} has {reader.BaseStream.Length} bytes; expected {LongestFile} at most.");
            return reader.ReadToEnd();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"The {kind} {path} cannot be read: {exception.Message}");
        }
    }

    // Before anything is built of it: a mapping or an alias for a key would be compared, and hashed, as deep as it goes.
    private static void Inspect(string text, string path)
    {
        var parser = new Parser(new StringReader(text));
        var keyIsNext = new Stack<bool?>();
        while (MoveNext(parser, path))
        {
            var current = parser.Current!;
            bool inMapping = keyIsNext.TryPeek(out var key) && key is not null;
            if (key == true && current is not (Scalar or MappingEnd)) throw NotAWord(path, current.Start.Line);
            if (current is MappingStart or SequenceStart)
            {
                if (keyIsNext.Count == DeepestNesting) throw new UsageException($"{path} line {current.Start.Line}: values are nested more than {DeepestNesting} deep.");
                keyIsNext.Push(current is MappingStart ? true : null);
                continue;
            }

            if (current is MappingEnd or SequenceEnd)
            {
                keyIsNext.Pop();
                inMapping = keyIsNext.TryPeek(out key) && key is not null;
            }
            else if (current is not (Scalar or AnchorAlias))
            {
                continue;
            }

            if (!inMapping) continue;
            keyIsNext.Pop();
            keyIsNext.Push(!key);
        }
    }

    // The scanner's own mistakes: it takes some text that is no YAML for a state that cannot be.
    private static bool MoveNext(Parser parser, string path)
    {
        try
        {
            return parser.MoveNext();
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArgumentException or FormatException or OverflowException or IndexOutOfRangeException)
        {
            throw new UsageException($"{path} line {parser.Current?.End.Line ?? 1}: what follows is not YAML. Expected lines such as 'key: value'.");
        }
    }

    private static UsageException NotAWord(string path, long line) => new($"{path} line {line} has a key that is not a word; expected 'key: value'.");
}
