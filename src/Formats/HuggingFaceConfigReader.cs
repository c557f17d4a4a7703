using System.Collections.Immutable;
using System.Text.Json;

namespace GenSlmOrleans.Formats;

/// <summary>Picks the keys of <see cref="HuggingFaceConfig"/> out of a <c>config.json</c>; other keys are left alone.</summary>
internal sealed class HuggingFaceConfigReader
{
    private const long LongestFile = 1 << 20;

    private readonly string _path;
    private readonly JsonElement _root;
    private readonly JsonElement _rotary;

    private HuggingFaceConfigReader(string path, JsonElement root)
    {
        _path = path;
        _root = root;
        // transformers 5 moved the rotary keys into one object and renamed them.
        if (TryGet(root, "rope_parameters", out var rotary) && rotary.ValueKind != JsonValueKind.Object)
            throw Wrong("rope_parameters", rotary, "an object");
        _rotary = rotary;
    }

    public static HuggingFaceConfig Read(string path)
    {
        using var file = ContentFile.Open(path);
        return Parse(path, file.ReadBlock(0, file.Length, LongestFile, "the configuration"));
    }

    public static HuggingFaceConfig Parse(string path, ReadOnlyMemory<byte> bytes)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new WeightFileException($"{path}: the file holds a JSON {document.RootElement.ValueKind}; the object of a config.json is expected.");
            return new HuggingFaceConfigReader(path, document.RootElement).ToConfig();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a name or value that is not UTF-8, or half a surrogate pair.
            throw new WeightFileException($"{path}: the file is not valid JSON ({MessageText.Quote(error)})", error);
        }
    }

    private HuggingFaceConfig ToConfig()
    {
        var modelType = Text("model_type", "");
        if (modelType != "gpt_neox")
        {
            var found = modelType.Length == 0 ? "there is no model_type" : $"model_type is {MessageText.Quote(modelType)}";
            throw new WeightFileException($"{_path}: {found}; 'gpt_neox' is expected.");
        }

        RefuseWhatChangesTheModel();
        bool renamed = _rotary.ValueKind == JsonValueKind.Object;
        return new HuggingFaceConfig
        {
            HiddenSize = Size("hidden_size"),
            HeadCount = Size("num_attention_heads"),
            LayerCount = Size("num_hidden_layers"),
            IntermediateSize = Size("intermediate_size"),
            MaximumPositions = Size("max_position_embeddings"),
            VocabularySize = Size("vocab_size"),
            LayerNormEpsilon = Number(_root, "layer_norm_eps", 1e-5),
            RotaryFraction = renamed ? Number(_rotary, "partial_rotary_factor", 0.25) : Number(_root, "rotary_pct", 0.25),
            RotaryBase = renamed ? Number(_rotary, "rope_theta", 10000) : Number(_root, "rotary_emb_base", 10000),
            HiddenActivation = Text("hidden_act", "gelu"),
            UseParallelResidual = Flag("use_parallel_residual", true),
            InitializerRange = Number(_root, "initializer_range", 0.02),
            TieWordEmbeddings = Flag("tie_word_embeddings", false),
            AttentionBias = Flag("attention_bias", true),
            RotaryFrequencies = Frequencies(),
        };
    }

    // Keys of later GPT-NeoX versions that would change what the model computes.
    private void RefuseWhatChangesTheModel()
    {
        foreach (var key in (string[])["attention_dropout", "hidden_dropout"])
        {
            if (Number(_root, key, 0) != 0) throw new WeightFileException($"{_path}: {key} is not 0; models with dropout are not supported.");
        }

        if (TryGet(_root, "rope_scaling", out _))
            throw new WeightFileException($"{_path}: rope_scaling is set; only plain rotary embeddings are supported.");
        if (TryGet(_rotary, "rope_type", out var kind) && !(kind.ValueKind == JsonValueKind.String && kind.GetString() == "default"))
            throw Wrong("rope_type", kind, "'default' (plain rotary embeddings)");
    }

    private RotaryFrequencies? Frequencies()
    {
        if (!TryGet(_root, HuggingFaceConfig.RotaryKey, out var list)) return null;
        if (list.ValueKind != JsonValueKind.Array) throw Wrong(HuggingFaceConfig.RotaryKey, list, "an array of numbers");
        var values = ImmutableArray.CreateBuilder<float>();
        foreach (var item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetSingle(out float value) || !float.IsFinite(value) || value < 0)
                throw Wrong(HuggingFaceConfig.RotaryKey, item, "a number that is not negative");
            values.Add(value);
        }

        return new RotaryFrequencies(values.ToImmutable());
    }

    private int Size(string key)
    {
        if (!TryGet(_root, key, out var value)) throw new WeightFileException($"{_path}: {key} is missing; a positive integer is expected.");
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out int size) ? size : throw Wrong(key, value, "an integer");
    }

    private double Number(JsonElement parent, string key, double absent)
    {
        if (!TryGet(parent, key, out var value)) return absent;
        return value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) ? number : throw Wrong(key, value, "a number");
    }

    private bool Flag(string key, bool absent)
    {
        if (!TryGet(_root, key, out var value)) return absent;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(key, value, "true or false");
    }

    private string Text(string key, string absent)
    {
        if (!TryGet(_root, key, out var value)) return absent;
        return value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(key, value, "a string");
    }

    // null stands for absent, as in Python.
    private static bool TryGet(JsonElement parent, string key, out JsonElement value)
    {
        value = default;
        return parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(key, out value) && value.ValueKind != JsonValueKind.Null;
    }

    private WeightFileException Wrong(string key, JsonElement value, string expected) =>
        new($"{_path}: {key} is {MessageText.Quote(value.GetRawText())}; {expected} is expected.");
}
