using System.Globalization;
using System.Text;

namespace GenSlmOrleans.Formats;

/// <summary>
/// Writes <c>config.json</c> as <c>GPTNeoXConfig.save_pretrained</c> of transformers 4 does: all keys of gpt_neox and those
/// of the base class that differ from its defaults, sorted, Python's spelling of numbers.
/// </summary>
public static class HuggingFaceConfigWriter
{
    // The version whose keys these are; transformers' own reader takes note of it and no more.
    private const string Version = "4.44.2";

    /// <summary>The file's text; always the same bytes for the same values.</summary>
    /// <param name="config">The architecture.</param>
    /// <param name="elementType">What the weights beside it are stored in.</param>
    public static string Write(HuggingFaceConfig config, TensorElementType elementType)
    {
        var entries = new SortedDictionary<string, string>(StringComparer.Ordinal)
        {
            ["architectures"] = "[\n    \"GPTNeoXForCausalLM\"\n  ]",
            ["attention_bias"] = Text(config.AttentionBias),
            ["attention_dropout"] = "0.0",
            ["bos_token_id"] = "0",
            ["classifier_dropout"] = "0.1",
            ["eos_token_id"] = "0",
            ["hidden_act"] = $"\"{config.HiddenActivation}\"",
            ["hidden_dropout"] = "0.0",
            ["hidden_size"] = Text(config.HiddenSize),
            ["initializer_range"] = Text(config.InitializerRange),
            ["intermediate_size"] = Text(config.IntermediateSize),
            ["layer_norm_eps"] = Text(config.LayerNormEpsilon),
            ["max_position_embeddings"] = Text(config.MaximumPositions),
            ["model_type"] = "\"gpt_neox\"",
            ["num_attention_heads"] = Text(config.HeadCount),
            ["num_hidden_layers"] = Text(config.LayerCount),
            ["rope_scaling"] = "null",
            // A whole number in transformers' defaults and in GenSLM's files.
            ["rotary_emb_base"] = double.IsInteger(config.RotaryBase) ? Text((long)config.RotaryBase) : Text(config.RotaryBase),
            ["rotary_pct"] = Text(config.RotaryFraction),
            ["tie_word_embeddings"] = Text(config.TieWordEmbeddings),
            ["torch_dtype"] = $"\"{TorchName(elementType)}\"",
            ["transformers_version"] = $"\"{Version}\"",
            ["use_cache"] = "true",
            ["use_parallel_residual"] = Text(config.UseParallelResidual),
            ["vocab_size"] = Text(config.VocabularySize),
        };
        var text = new StringBuilder("{\n").AppendJoin(",\n", entries.Select(entry => $"  \"{entry.Key}\": {entry.Value}"));
        return text.Append("\n}\n").ToString();
    }

    private static string TorchName(TensorElementType type) => type switch
    {
        TensorElementType.Float32 => "float32",
        TensorElementType.Float16 => "float16",
        TensorElementType.BFloat16 => "bfloat16",
        _ => throw new ArgumentOutOfRangeException(nameof(type), type, "Weights are written as fp32, fp16 or bf16."),
    };

    private static string Text(bool value) => value ? "true" : "false";

    private static string Text(long value) => value.ToString(CultureInfo.InvariantCulture);

    // As Python's repr: the shortest that comes back to the same number, with a point or an exponent.
    private static string Text(double value)
    {
        var text = value.ToString("R", CultureInfo.InvariantCulture).Replace('E', 'e');
        return double.IsInteger(value) && !text.Contains('e') ? text + ".0" : text;
    }
}
