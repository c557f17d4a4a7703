using System.Collections.Immutable;
using System.Globalization;

namespace GenSlmOrleans.Formats;

/// <summary>
/// The sizes of a GPT-NeoX causal language model, read off a file's tensors. Two things cannot be: the number of heads and
/// the number of positions.
/// </summary>
/// <param name="Prefix">What precedes Hugging Face's names in the file.</param>
/// <param name="HiddenSize">Width of the hidden states.</param>
/// <param name="LayerCount">Layers.</param>
/// <param name="IntermediateSize">Width of the perceptron between its two linear layers.</param>
/// <param name="VocabularySize">Rows of the embeddings.</param>
/// <param name="AttentionBias">Whether attention's linear layers have biases.</param>
/// <param name="RotaryPairs">Pairs of turned dimensions of a head, where a buffer tells; else null.</param>
public sealed record WeightArchitecture(
    string Prefix, int HiddenSize, int LayerCount, int IntermediateSize, int VocabularySize, bool AttentionBias, long? RotaryPairs)
{
    /// <summary>The preset with these sizes, or null.</summary>
    public string? PresetName => ModelPresets.All.FirstOrDefault(preset => Fits(preset.Config)).Name;

    /// <summary>Reads the sizes off the tensors; that none is missing is <see cref="StateDictNames.Match"/>'s to check.</summary>
    /// <exception cref="WeightFileException">The file holds no such model; the sentence names what is missing or odd.</exception>
    public static WeightArchitecture Recognise(WeightFile file)
    {
        var prefix = StateDictNames.FindPrefix(file.Tensors, file.Path);
        var (words, width) = Matrix("gpt_neox.embed_in.weight");
        var (inner, _) = Matrix("gpt_neox.layers.0.mlp.dense_h_to_4h.weight");
        var pairs = file.Tensors.FirstOrDefault(tensor => RotaryFrequencies.IsBuffer(tensor.Name))?.Shape is [var count] ? count : (long?)null;
        bool bias = file.IndexOf(prefix + "gpt_neox.layers.0.attention.query_key_value.bias") >= 0;
        return new WeightArchitecture(prefix, width, LayersOf(file, prefix + "gpt_neox.layers."), inner, words, bias, pairs);

        (int Rows, int Columns) Matrix(string name)
        {
            int place = file.IndexOf(prefix + name);
            if (place < 0) throw new WeightFileException($"{file.Path}: the tensor '{prefix}{name}' is missing; a GPT-NeoX causal language model is expected.");
            return file.Tensors[place].Shape is [var rows and > 0 and <= int.MaxValue, var columns and > 0 and <= int.MaxValue]
                ? ((int)rows, (int)columns)
                : throw new WeightFileException($"{file.Path}: the tensor '{prefix}{name}' has shape {file.Tensors[place].ShapeText}; a matrix is expected.");
        }
    }

    /// <summary>True when a configuration has these sizes.</summary>
    public bool Fits(HuggingFaceConfig config) =>
        (config.HiddenSize, config.LayerCount, config.IntermediateSize, config.VocabularySize, config.AttentionBias)
        == (HiddenSize, LayerCount, IntermediateSize, VocabularySize, AttentionBias)
        && (RotaryPairs is null || RotaryPairs * 2 == config.RotaryDimensions);

    /// <summary>The parameters that such a model has, in state-dict order.</summary>
    public ImmutableArray<TensorDescription> Parameters() => GptNeoXStateDict.Describe(new HuggingFaceConfig
    {
        HiddenSize = HiddenSize,
        LayerCount = LayerCount,
        IntermediateSize = IntermediateSize,
        VocabularySize = VocabularySize,
        AttentionBias = AttentionBias,
        // These two decide no parameter's shape.
        HeadCount = 1,
        MaximumPositions = 1,
    });

    /// <summary>The sizes in words, for messages and tables.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"hidden {HiddenSize}, {LayerCount} layers, intermediate {IntermediateSize}, vocabulary {VocabularySize}");

    // The highest number, plus one; no more than there are tensors, or a name alone could ask for millions.
    private static int LayersOf(WeightFile file, string prefix)
    {
        int layers = 0;
        foreach (var tensor in file.Tensors)
        {
            if (!tensor.Name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            var number = tensor.Name.AsSpan(prefix.Length);
            int end = number.IndexOf('.');
            if (end > 0 && int.TryParse(number[..end], NumberStyles.None, CultureInfo.InvariantCulture, out int layer) && layer < file.Tensors.Count)
                layers = Math.Max(layers, layer + 1);
        }

        return layers;
    }
}
