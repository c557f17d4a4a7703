using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>
/// The architectures GenSLM was published in, and <c>tiny</c>, ours, small enough to learn from scratch on a laptop.
/// Sources: GenSLM's <c>genslm/architectures/neox/*.json</c> (see DESIGN §6 for the table).
/// </summary>
public static class ModelPresets
{
    /// <summary>The preset's name → its configuration, smallest first.</summary>
    public static ImmutableArray<(string Name, HuggingFaceConfig Config)> All { get; } =
    [
        ("tiny", Config(hiddenSize: 64, headCount: 4, layerCount: 2, intermediateSize: 256)),
        ("genslm_25M_patric", Config(512, 8, 8, 2048)),
        ("genslm_250M_patric", Config(1840, 16, 12, 2048)),
        ("genslm_2.5B_patric", Config(3840, 32, 28, 4096)),
        ("genslm_25B_patric", Config(8196, 64, 64, 8000)),
    ];

    /// <summary>The configuration of the preset <paramref name="name"/>, or null when there is none of that name.</summary>
    public static HuggingFaceConfig? Find(string name) =>
        All.FirstOrDefault(preset => string.Equals(preset.Name, name, StringComparison.OrdinalIgnoreCase)).Config;

    private static HuggingFaceConfig Config(int hiddenSize, int headCount, int layerCount, int intermediateSize) => new()
    {
        HiddenSize = hiddenSize,
        HeadCount = headCount,
        LayerCount = layerCount,
        IntermediateSize = intermediateSize,
        MaximumPositions = 2048,
        VocabularySize = 69,
        HiddenActivation = "gelu_fast",
    };
}
