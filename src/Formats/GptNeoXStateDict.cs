using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>
/// The state dict of a GPT-NeoX causal language model: every parameter's name and shape, in the order in which
/// Hugging Face's <c>GPTNeoXForCausalLM.state_dict()</c> lists them. The flat parameter vector of a run is these, end to end.
/// </summary>
public static class GptNeoXStateDict
{
    public const string OutputEmbedding = "embed_out.weight";

    /// <summary>All parameters of the architecture, fp32, in state-dict order.</summary>
    public static ImmutableArray<TensorDescription> Describe(HuggingFaceConfig config)
    {
        long width = config.HiddenSize, inner = config.IntermediateSize, words = config.VocabularySize;
        var tensors = ImmutableArray.CreateBuilder<TensorDescription>();
        void Add(string name, params ReadOnlySpan<long> shape) =>
            tensors.Add(new TensorDescription(name, TensorElementType.Float32, [.. shape]));
        void AddLinear(string name, long outputs, long inputs, bool bias = true)
        {
            Add($"{name}.weight", outputs, inputs);
            if (bias) Add($"{name}.bias", outputs);
        }

        Add("gpt_neox.embed_in.weight", words, width);
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            var prefix = $"gpt_neox.layers.{layer}.";
            Add(prefix + "input_layernorm.weight", width);
            Add(prefix + "input_layernorm.bias", width);
            Add(prefix + "post_attention_layernorm.weight", width);
            Add(prefix + "post_attention_layernorm.bias", width);
            AddLinear(prefix + "attention.query_key_value", 3 * width, width, config.AttentionBias);
            AddLinear(prefix + "attention.dense", width, width, config.AttentionBias);
            AddLinear(prefix + "mlp.dense_h_to_4h", inner, width);
            AddLinear(prefix + "mlp.dense_4h_to_h", width, inner);
        }

        Add("gpt_neox.final_layer_norm.weight", width);
        Add("gpt_neox.final_layer_norm.bias", width);
        Add(OutputEmbedding, words, width);
        return tensors.ToImmutable();
    }

    /// <summary>How many parameters the architecture has.</summary>
    public static long ParameterCount(HuggingFaceConfig config) => Describe(config).Sum(tensor => tensor.ElementCount);
}
