// Shapes: B records, T tokens, V vocabulary, D hidden width, N heads, H head size (D = N·H), R rotary dimensions of a head.

using GenSlmOrleans.Formats;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace GenSlmOrleans.Model;

/// <summary>
/// GPT-NeoX as Hugging Face transformers computes it (<c>modeling_gpt_neox.py</c>): parallel residual, one fused
/// projection for queries, keys and values, rotary embedding on the first part of each head, untied output
/// embedding, no dropout. The parameters are borrowed from <see cref="FlatParameters"/>.
/// </summary>
public sealed class GptNeoX : IDisposable
{
    private const string FinalNormPrefix = "gpt_neox.final_layer_norm.";

    private readonly HuggingFaceConfig _config;
    private readonly Layer[] _layers;
    private readonly long[] _offsets;
    private readonly Tensor _embedIn;
    private readonly Tensor _finalNormWeight;
    private readonly Tensor _finalNormBias;
    private readonly Tensor _embedOut;
    private readonly RotaryTable _rotary;
    private readonly int _headSize;

    public GptNeoX(HuggingFaceConfig config, FlatParameters parameters)
    {
        _config = config;
        _headSize = config.HeadSize;
        _embedIn = parameters["gpt_neox.embed_in.weight"];
        _layers = [.. Enumerable.Range(0, config.LayerCount).Select(i => new Layer(parameters, Prefix(i)))];
        _offsets = [.. Enumerable.Range(0, config.LayerCount).Select(i => parameters.OffsetOf(Prefix(i))), parameters.OffsetOf(FinalNormPrefix)];
        _finalNormWeight = parameters[FinalNormPrefix + "weight"];
        _finalNormBias = parameters[FinalNormPrefix + "bias"];
        _embedOut = parameters[GptNeoXStateDict.OutputEmbedding];
        _rotary = new RotaryTable(config, parameters.ElementType, parameters.Device);
    }

    /// <summary>The hidden states after the final LayerNorm, [B, T, D].</summary>
    /// <inheritdoc cref="Prepare"/>
    public Tensor HiddenStates(Tensor ids_BT, Tensor? realKeys_BT = null)
    {
        var batch = Prepare(ids_BT, realKeys_BT);
        var x_BTD = Embed(ids_BT);
        for (int layer = 0; layer < LayerCount; layer++) x_BTD = RunLayer(layer, x_BTD, batch);
        return FinalNorm(x_BTD);
    }

    /// <summary>How many layers there are between <see cref="Embed"/> and <see cref="FinalNorm"/>.</summary>
    public int LayerCount => _layers.Length;

    /// <summary>Where a layer's parameters begin in the flat vector; those of the final LayerNorm and of the output embedding for <see cref="LayerCount"/>. All that follows is used after it.</summary>
    public long ParametersFrom(int layer) => _offsets[layer];

    /// <summary>What all layers take of a batch besides their input.</summary>
    /// <param name="ids_BT">Token ids, int64, padded on the right.</param>
    /// <param name="realKeys_BT">
    /// Null: plain causal attention, right for every real token of a right-padded batch. Otherwise true where a token
    /// is real: padded keys are masked for every query, real or padded, as GenSLM's forward does.
    /// </param>
    internal LayerInputs Prepare(Tensor ids_BT, Tensor? realKeys_BT)
    {
        long tokens = ids_BT.shape[1];
        var (cos_T11R, sin_T11R) = _rotary.First(tokens);
        return new LayerInputs(cos_T11R, sin_T11R, realKeys_BT is null ? null : CausalMask(realKeys_BT, tokens));
    }

    // A product with one-hot rows takes the same rows as a look-up, to the bit, and its backward is a product too: added
    // up in a fixed order on every device, where a scatter is not.
    internal Tensor Embed(Tensor ids_BT) => functional.one_hot(ids_BT, _config.VocabularySize).to(_embedIn.dtype).matmul(_embedIn);

    /// <summary>One layer, [B, T, D] to [B, T, D].</summary>
    internal Tensor RunLayer(int index, Tensor x_BTD, LayerInputs batch)
    {
        // What backward does not need is free as soon as the layer is done.
        using var scope = NewDisposeScope();
        var layer = _layers[index];
        var attended_BTD = Attend(Norm(x_BTD, layer.InputNormWeight, layer.InputNormBias), layer, batch.Cos_T11R, batch.Sin_T11R, batch.Mask_B1TT);
        if (_config.UseParallelResidual)
        {
            var mixed_BTD = MultiLayerPerceptron(Norm(x_BTD, layer.PostNormWeight, layer.PostNormBias), layer);
            return mixed_BTD.Plus(attended_BTD).Plus(x_BTD).MoveToOuterDisposeScope();
        }

        var between_BTD = attended_BTD.Plus(x_BTD);
        return MultiLayerPerceptron(Norm(between_BTD, layer.PostNormWeight, layer.PostNormBias), layer).Plus(between_BTD).MoveToOuterDisposeScope();
    }

    internal Tensor FinalNorm(Tensor x_BTD) => Norm(x_BTD, _finalNormWeight, _finalNormBias);

    /// <summary>Scores of the next token from hidden states, [B, T, V].</summary>
    public Tensor Logits(Tensor hidden_BTD) => functional.linear(hidden_BTD, _embedOut);

    private Tensor Attend(Tensor x_BTD, Layer layer, Tensor cos_T11R, Tensor sin_T11R, Tensor? mask_B1TT)
    {
        long records = x_BTD.shape[0], tokens = x_BTD.shape[1];
        var fused_BTN3H = functional.linear(x_BTD, layer.FusedWeight, layer.FusedBias).view(records, tokens, _config.HeadCount, 3, _headSize);
        var turned_BTN2H = _rotary.Turn(fused_BTN3H.narrow(3, 0, 2), cos_T11R, sin_T11R);
        var query_BNTH = turned_BTN2H.select(3, 0).transpose(1, 2);
        var key_BNTH = turned_BTN2H.select(3, 1).transpose(1, 2);
        var value_BNTH = fused_BTN3H.select(3, 2).transpose(1, 2);
        var attended_BNTH = functional.scaled_dot_product_attention(
            query_BNTH, key_BNTH, value_BNTH, attn_mask: mask_B1TT!, is_casual: mask_B1TT is null);
        var attended_BTD = attended_BNTH.transpose(1, 2).reshape(records, tokens, _config.HiddenSize);
        return functional.linear(attended_BTD, layer.DenseWeight, layer.DenseBias);
    }

    private Tensor MultiLayerPerceptron(Tensor x_BTD, Layer layer)
    {
        var inner = functional.linear(x_BTD, layer.WidenWeight, layer.WidenBias);
        return functional.linear(Activate(inner), layer.NarrowWeight, layer.NarrowBias);
    }

    // gelu_fast and gelu_new are the same tanh approximation, written differently (transformers/activations.py).
    private Tensor Activate(Tensor x) => _config.HiddenActivation switch
    {
        "gelu_fast" or "gelu_new" or "gelu_pytorch_tanh" => x.gelu(TorchSharp.Modules.GELU.Approximate.tanh),
        "gelu" => x.gelu(),
        "relu" => functional.relu(x),
        var other => throw new NotSupportedException($"hidden_act is {other}; expected gelu, gelu_fast, gelu_new, gelu_pytorch_tanh or relu."),
    };

    private Tensor Norm(Tensor x_BTD, Tensor weight, Tensor bias) =>
        functional.layer_norm(x_BTD, [_config.HiddenSize], weight, bias, _config.LayerNormEpsilon);

    private static Tensor CausalMask(Tensor realKeys_BT, long tokens)
    {
        var causal_TT = ones([tokens, tokens], ScalarType.Bool, realKeys_BT.device).tril();
        return causal_TT.logical_and(realKeys_BT.unsqueeze(1).unsqueeze(1));
    }

    private static string Prefix(int layer) => $"gpt_neox.layers.{layer}.";

    public void Dispose() => _rotary.Dispose();

    /// <summary>What all layers take of a batch besides their input: the rotary embedding's table, and a mask where causal attention alone is not enough.</summary>
    internal readonly record struct LayerInputs(Tensor Cos_T11R, Tensor Sin_T11R, Tensor? Mask_B1TT);

    private sealed class Layer(FlatParameters parameters, string prefix)
    {
        public readonly Tensor InputNormWeight = parameters[prefix + "input_layernorm.weight"];
        public readonly Tensor InputNormBias = parameters[prefix + "input_layernorm.bias"];
        public readonly Tensor PostNormWeight = parameters[prefix + "post_attention_layernorm.weight"];
        public readonly Tensor PostNormBias = parameters[prefix + "post_attention_layernorm.bias"];
        public readonly Tensor FusedWeight = parameters[prefix + "attention.query_key_value.weight"];
        public readonly Tensor? FusedBias = parameters.Find(prefix + "attention.query_key_value.bias");
        public readonly Tensor DenseWeight = parameters[prefix + "attention.dense.weight"];
        public readonly Tensor? DenseBias = parameters.Find(prefix + "attention.dense.bias");
        public readonly Tensor WidenWeight = parameters[prefix + "mlp.dense_h_to_4h.weight"];
        public readonly Tensor WidenBias = parameters[prefix + "mlp.dense_h_to_4h.bias"];
        public readonly Tensor NarrowWeight = parameters[prefix + "mlp.dense_4h_to_h.weight"];
        public readonly Tensor NarrowBias = parameters[prefix + "mlp.dense_4h_to_h.bias"];
    }
}
