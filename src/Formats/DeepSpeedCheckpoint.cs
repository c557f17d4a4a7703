namespace GenSlmOrleans.Formats;

/// <summary>
/// Recognises checkpoints of DeepSpeed's ZeRO, as Lightning saves them too: a folder whose files hold slices of flattened
/// parameters. They are consolidated by DeepSpeed's own script, not read here.
/// </summary>
internal static class DeepSpeedCheckpoint
{
    // The file that names the newest folder inside, and the script that DeepSpeed leaves beside it.
    private const string Latest = "latest";
    private const string Script = "zero_to_fp32.py";

    private static readonly string[] s_keys = ["ds_version", "ds_config", "zero_stage", "param_shapes", "optimizer_state_dict"];

    /// <summary>True when the folder, or a folder in it, holds a ZeRO checkpoint's files.</summary>
    public static bool IsFolder(string folder) =>
        HasParts(folder) || File.Exists(Path.Combine(folder, Script))
        || (File.Exists(Path.Combine(folder, Latest)) && Directory.EnumerateDirectories(folder).Any(HasParts));

    /// <summary>True when a pickled dictionary without a state dict has keys that only DeepSpeed's own files have.</summary>
    public static bool IsPart(IEnumerable<string?> keys) => keys.Any(s_keys.Contains);

    /// <summary>What to do instead, after the file's or folder's name and a colon.</summary>
    public static string Sentence(string folder)
    {
        if (!File.Exists(Path.Combine(folder, Latest)) && Path.GetDirectoryName(folder) is { } above && File.Exists(Path.Combine(above, Latest))) folder = above;
        var script = Path.Combine(folder, Script);
        var program = File.Exists(script) ? $"'{script}'" : "-m deepspeed.utils.zero_to_fp32";
        return $"this is a DeepSpeed ZeRO checkpoint, whose parameters are cut into slices; consolidate it with: python3 {program} '{folder}' '{folder}.pt', then read that file.";
    }

    private static bool HasParts(string folder) =>
        Directory.EnumerateFiles(folder, "*_optim_states.pt").Any() || Directory.EnumerateFiles(folder, "mp_rank_*_model_states.pt").Any();
}
