using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.GenSlm;

/// <summary>The architecture files that GenSLM's model_config_json names.</summary>
internal static class PublishedModel
{
    // genslm/architectures/neox, named after their numbers of parameters.
    private static readonly Dictionary<string, string> Presets = new(StringComparer.Ordinal)
    {
        ["neox_25,290,752.json"] = "genslm_25M_patric",
        ["neox_244,464,576.json"] = "genslm_250M_patric",
        ["neox_2,533,931,008.json"] = "genslm_2.5B_patric",
        ["neox_25,076,188,032.json"] = "genslm_25B_patric",
    };

    /// <summary>The preset that is the same architecture as GenSLM's file of that name; null: there is none.</summary>
    public static string? Preset(string path) => Presets.GetValueOrDefault(Path.GetFileName(path));

    /// <summary>What is wrong with the file at <paramref name="path"/>; null: it can be trained.</summary>
    public static string? Problem(string path)
    {
        try
        {
            HuggingFaceConfig.Read(path);
            return null;
        }
        catch (WeightFileException exception)
        {
            return exception.Message.TrimEnd('.');
        }
    }
}
