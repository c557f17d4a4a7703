using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace GenSlmOrleans.Formats;

/// <summary>
/// The architecture of a GPT-NeoX model, as Hugging Face's <c>config.json</c> states it (model_type <c>gpt_neox</c>).
/// What is absent there has the default of transformers' <c>GPTNeoXConfig</c>, except for the sizes, which must be given.
/// GPT-NeoX ignores the keys attention_probs_dropout_prob and hidden_dropout_prob of GenSLM's files, and so does this.
/// </summary>
public sealed record HuggingFaceConfig
{
    /// <summary>The activations that are known; gelu_fast, gelu_new and gelu_pytorch_tanh are the tanh approximation.</summary>
    public static ImmutableArray<string> KnownActivations { get; } = ["gelu", "gelu_fast", "gelu_new", "gelu_pytorch_tanh", "relu"];

    // Ten times the largest GenSLM; below it every count of parameters and blocks fits its type.
    private const double MostParameters = 275e9;

    /// <summary>hidden_size: width of the hidden states.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>num_attention_heads</summary>
    public required int HeadCount { get; init; }

    /// <summary>num_hidden_layers</summary>
    public required int LayerCount { get; init; }

    /// <summary>intermediate_size: width of the perceptron between its two linear layers.</summary>
    public required int IntermediateSize { get; init; }

    /// <summary>max_position_embeddings: the longest sequence, in tokens.</summary>
    public required int MaximumPositions { get; init; }

    /// <summary>vocab_size: rows of both embeddings.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>layer_norm_eps</summary>
    public double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>rotary_pct: the part of each head that is turned; the number of dimensions is cut to an integer.</summary>
    public double RotaryFraction { get; init; } = 0.25;

    /// <summary>rotary_emb_base</summary>
    public double RotaryBase { get; init; } = 10000;

    /// <summary>hidden_act, one of <see cref="KnownActivations"/>.</summary>
    public string HiddenActivation { get; init; } = "gelu";

    /// <summary>use_parallel_residual: attention and perceptron read the same input.</summary>
    public bool UseParallelResidual { get; init; } = true;

    /// <summary>initializer_range: standard deviation of fresh weights.</summary>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>tie_word_embeddings; only false is supported.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>attention_bias: whether attention's linear layers have biases.</summary>
    public bool AttentionBias { get; init; } = true;

    /// <summary>
    /// The rotary frequencies to compute with instead of those that follow from <see cref="RotaryBase"/>; null: those. A key
    /// of our own, <c>genslm_inv_freq</c>, so that a run's configuration says all that decides its model.
    /// </summary>
    public RotaryFrequencies? RotaryFrequencies { get; init; }

    /// <summary>Size of a head.</summary>
    public int HeadSize => HiddenSize / HeadCount;

    /// <summary>How many dimensions of a head are turned; cut to an integer as transformers does.</summary>
    public int RotaryDimensions => (int)(HeadSize * RotaryFraction);

    /// <summary>Reads a <c>config.json</c>, or the one in a folder, and validates it.</summary>
    /// <exception cref="WeightFileException">It is missing, not JSON, of another model type, or not valid.</exception>
    public static HuggingFaceConfig Read(string path)
    {
        if (Directory.Exists(path)) path = Path.Combine(path, "config.json");
        var config = HuggingFaceConfigReader.Read(path);
        return config.Validate() is [var first, ..] ? throw new WeightFileException($"{path}: {first}") : config;
    }

    /// <summary>Reads the text of a <c>config.json</c>, as <see cref="ToJson"/> writes it.</summary>
    /// <exception cref="WeightFileException">It is not JSON, of another model type, or not valid.</exception>
    public static HuggingFaceConfig Parse(string json)
    {
        const string Source = "the model configuration";
        var config = HuggingFaceConfigReader.Parse(Source, System.Text.Encoding.UTF8.GetBytes(json));
        return config.Validate() is [var first, ..] ? throw new WeightFileException($"{Source}: {first}") : config;
    }

    /// <summary>What is wrong with the configuration, in sentences; empty when it can be used.</summary>
    public ImmutableArray<string> Validate()
    {
        var problems = ImmutableArray.CreateBuilder<string>();
        void Require(bool holds, FormattableString problem)
        {
            if (!holds) problems.Add(problem.ToString(CultureInfo.InvariantCulture));
        }

        RequireSize("hidden_size", HiddenSize, 1 << 20);
        RequireSize("num_attention_heads", HeadCount, 1 << 16);
        RequireSize("num_hidden_layers", LayerCount, 1 << 14);
        RequireSize("intermediate_size", IntermediateSize, 1 << 22);
        RequireSize("max_position_embeddings", MaximumPositions, 1 << 24);
        RequireSize("vocab_size", VocabularySize, 1 << 24);
        Require(LayerNormEpsilon is > 0 and < 1, $"layer_norm_eps is {LayerNormEpsilon}; it must be between 0 and 1.");
        Require(RotaryFraction is >= 0 and <= 1, $"rotary_pct is {RotaryFraction}; it must be from 0 to 1.");
        Require(RotaryBase is > 1 and < 1e12, $"rotary_emb_base is {RotaryBase}; it must be greater than 1.");
        Require(InitializerRange is > 0 and < 100, $"initializer_range is {InitializerRange}; it must be greater than 0.");
        Require(KnownActivations.Contains(HiddenActivation),
            $"hidden_act is {MessageText.Quote(HiddenActivation)}; it must be {KnownActivationList}.");
        Require(!TieWordEmbeddings, $"tie_word_embeddings is true; only models with an output embedding of their own are supported.");
        if (problems.Count > 0) return problems.ToImmutable();

        double matrices = (2.0 * VocabularySize * HiddenSize) + (LayerCount * HiddenSize * ((4.0 * HiddenSize) + (2.0 * IntermediateSize)));
        Require(matrices <= MostParameters, $"hidden_size, num_hidden_layers, intermediate_size and vocab_size make {matrices:E1} parameters; at most {MostParameters:E1} are supported.");
        Require(HiddenSize % HeadCount == 0,
            $"hidden_size is {HiddenSize}, which {HeadCount} heads do not divide; the size of a head cannot be established.");
        if (problems.Count > 0) return problems.ToImmutable();

        Require(RotaryDimensions % 2 == 0,
            $"rotary_pct is {RotaryFraction}, which turns {RotaryDimensions} dimensions of a head of {HeadSize}; their number must be even.");
        if (RotaryFrequencies is { } frequencies)
        {
            Require(frequencies.Values.Length * 2 == RotaryDimensions,
                $"{RotaryKey} has {frequencies.Values.Length} numbers; {RotaryDimensions / 2} are expected, one for each two turned dimensions.");
        }

        return problems.ToImmutable();

        void RequireSize(string name, int value, int limit) =>
            Require(value >= 1 && value <= limit, $"{name} is {value}; it must be from 1 to {limit}.");
    }

    internal const string RotaryKey = "genslm_inv_freq";

    private static string KnownActivationList => $"{string.Join(", ", KnownActivations[..^1])} or {KnownActivations[^1]}";

    /// <summary>The configuration as a <c>config.json</c> that transformers reads, as runs keep and send it; always the same bytes for the same values.</summary>
    public string ToJson()
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, new JsonWriterOptions { Indented = true, IndentSize = 2, NewLine = "\n" }))
        {
            json.WriteStartObject();
            json.WriteStartArray("architectures");
            json.WriteStringValue("GPTNeoXForCausalLM");
            json.WriteEndArray();
            json.WriteString("model_type", "gpt_neox");
            json.WriteNumber("hidden_size", HiddenSize);
            json.WriteNumber("num_attention_heads", HeadCount);
            json.WriteNumber("num_hidden_layers", LayerCount);
            json.WriteNumber("intermediate_size", IntermediateSize);
            json.WriteNumber("max_position_embeddings", MaximumPositions);
            json.WriteNumber("vocab_size", VocabularySize);
            json.WriteString("hidden_act", HiddenActivation);
            json.WriteNumber("layer_norm_eps", LayerNormEpsilon);
            json.WriteNumber("rotary_pct", RotaryFraction);
            json.WriteNumber("rotary_emb_base", RotaryBase);
            json.WriteNumber("initializer_range", InitializerRange);
            json.WriteBoolean("use_parallel_residual", UseParallelResidual);
            json.WriteBoolean("attention_bias", AttentionBias);
            json.WriteBoolean("tie_word_embeddings", TieWordEmbeddings);
            json.WriteNumber("bos_token_id", 0);
            json.WriteNumber("eos_token_id", 0);
            json.WriteString("torch_dtype", "float32");
            if (RotaryFrequencies is { } frequencies)
            {
                json.WriteStartArray(RotaryKey);
                foreach (float frequency in frequencies.Values) json.WriteNumberValue(frequency);
                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length) + "\n";
    }
}
