namespace GenSlmOrleans.Client.GenSlm;

/// <summary>
/// What GenSLM's paths become. GenSLM, like a run file, takes a relative path from the folder in which it is started; of a
/// YAML that is imported elsewhere, what is not found there is looked for beside the YAML.
/// </summary>
internal sealed class ImportedPaths(string yaml)
{
    private readonly string _folder = Path.GetDirectoryName(Path.GetFullPath(yaml))!;

    /// <summary>Where the path leads to, as a run file says it from here; null when there is nothing.</summary>
    public string? Existing(string path)
    {
        if (Path.Exists(path)) return path;
        var beside = Path.Combine(_folder, path);
        return Path.Exists(beside) ? Path.GetRelativePath(Environment.CurrentDirectory, beside) : null;
    }

    /// <summary>Carries a path over, and says when it leads nowhere or had to be changed.</summary>
    public void Carry(RunFileDraft draft, string theirs, string ours, string path, string change = "")
    {
        var found = Existing(path);
        if (found is not null && found != path)
            change = string.Join("; ", ((string[])[change, "it is beside the YAML, not in the folder in which genslm was called"]).Where(text => text.Length > 0));
        draft.Carry(theirs, ours, found ?? path, change);
        if (found is null) draft.Note(ImportOutcome.NotFound, theirs, "there is no such file here, nor beside the YAML; put it there or change the path", ours);
    }
}
