using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>A run file while it is made of GenSLM's YAML: its settings, where they come from, and what is to be said.</summary>
internal sealed class RunFileDraft(GenSlmConfig config, string path)
{
    private readonly Dictionary<string, string> _origins = new(StringComparer.Ordinal);
    private readonly HashSet<string> _carried = new(StringComparer.Ordinal);
    private readonly List<ImportNote> _notes = [];

    public TrainSettings Settings { get; private set; } = new();

    /// <summary>Sets the run file's <paramref name="ours"/>, which GenSLM's key <paramref name="theirs"/> decides, present or not.</summary>
    /// <param name="theirs">GenSLM's key.</param>
    /// <param name="ours">The run file's.</param>
    /// <param name="value">The value's text.</param>
    /// <param name="change">How the meaning changed; empty: not at all.</param>
    public void Carry(string theirs, string ours, string value, string change = "")
    {
        Settings = RunOptions.Find(ours, path).Set(Settings, value);
        bool present = config.Find(theirs) is not null;
        if (present) _carried.Add(theirs);
        _origins[ours] = present ? $"{theirs}, line {config.Find(theirs)!.Line}" : $"GenSLM's default for {theirs}";
        if (change.Length > 0) Note(ImportOutcome.Changed, theirs, change, ours);
    }

    /// <summary>Sets what GenSLM's training does without being told.</summary>
    public void Add(string ours, string value, string reason)
    {
        var option = RunOptions.Find(ours, path);
        Settings = option.Set(Settings, value);
        _origins[ours] = "as GenSLM trains";
        _notes.Add(new ImportNote(ImportOutcome.Added, ours, value, 0, "", reason));
    }

    public void Note(ImportOutcome outcome, string theirs, string reason, string? ours = null)
    {
        var entry = config.Find(theirs);
        _notes.Add(new ImportNote(
            outcome, theirs, entry is null ? "" : GenSlmConfig.Shown(entry), entry?.Line ?? 0, ours is null ? "" : RunFile.Line(RunOptions.Find(ours, path), Settings), reason));
    }

    /// <summary>Notes a key of a section.</summary>
    public void Note(ImportOutcome outcome, string section, YamlEntry entry, string reason) =>
        _notes.Add(new ImportNote(outcome, $"{section}.{entry.Key}", GenSlmConfig.Shown(entry), entry.Line, "", reason));

    /// <summary>The run file, after every key that nothing was said of yet has been accounted for.</summary>
    /// <exception cref="UsageException">It could not train.</exception>
    public ImportedConfig Complete()
    {
        foreach (var entry in config.Entries.Where(entry => !_carried.Contains(entry.Key) && !_notes.Exists(note => note.Key == entry.Key)).ToArray())
        {
            if (GenSlmKey.LeftOut.FirstOrDefault(key => key.Name == entry.Key) is { } known)
                Note(entry.IsNull || known.IsWithoutEffect(GenSlmConfig.Shown(entry)) ? ImportOutcome.WithoutEffect : ImportOutcome.LeftOut, entry.Key, known.Reason);
            else if (GenSlmKey.Carried.Contains(entry.Key))
                Note(ImportOutcome.WithoutEffect, entry.Key, "it is not set");
            else
                Note(ImportOutcome.LeftOut, entry.Key, $"GenSLM's settings have no such key; did you mean '{NearestName.Of(entry.Key, GenSlmKey.All)}'?");
        }

        if (Settings.Validate().FirstOrDefault() is { } problem) throw new UsageException($"{path} makes no run file that can train: {problem}");
        return new ImportedConfig(path, config.Entries.Count(), _carried.Count, Settings, _origins, [.. _notes.OrderBy(note => note.Line)]);
    }
}
