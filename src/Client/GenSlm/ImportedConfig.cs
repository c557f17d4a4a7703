using System.Text;
using GenSlmOrleans.Client.Options;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>A run file made of GenSLM's YAML, and what there is to say about it.</summary>
/// <param name="Source">The path of GenSLM's YAML.</param>
/// <param name="KeyCount">Its keys.</param>
/// <param name="CarriedCount">Those whose value is in the run file.</param>
/// <param name="Settings">The run file's settings.</param>
/// <param name="Origins">The run file's keys → where their values come from.</param>
/// <param name="Notes">What changed its meaning, was left out or was added.</param>
internal sealed record ImportedConfig(
    string Source, int KeyCount, int CarriedCount, TrainSettings Settings, IReadOnlyDictionary<string, string> Origins, IReadOnlyList<ImportNote> Notes)
{
    /// <summary>The run file: only what GenSLM's YAML decides, each value beside its origin.</summary>
    /// <param name="folder">Where the file goes, for the path of the schema.</param>
    public string RunFileText(string folder)
    {
        var text = new StringBuilder(SchemaHint.For(folder));
        text.Append("# Imported from ").Append(Path.GetFileName(Source)).Append(". Relative paths start at the folder in which genslm is called.\n");
        foreach (var option in RunOptions.All)
        {
            if (!Origins.TryGetValue(option.Key, out var origin)) continue;
            text.Append(RunFile.Line(option, Settings)).Append("  # ").Append(origin).Append('\n');
        }

        return text.ToString();
    }
}
