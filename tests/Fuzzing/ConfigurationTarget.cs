using System.Text;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Fuzzing;

/// <summary>Hugging Face's config.json. What is accepted is valid, and the same when it is written and read again.</summary>
public sealed class ConfigurationTarget : FuzzTarget
{
    private readonly byte[][] _seeds =
    [
        Encoding.UTF8.GetBytes(ModelPresets.Find("tiny")!.ToJson()),
        Encoding.UTF8.GetBytes((ModelPresets.Find("tiny")! with { RotaryFrequencies = new RotaryFrequencies([1f, 0.01f]) }).ToJson()),
        """
        {"model_type":"gpt_neox","hidden_size":64,"num_attention_heads":4,"num_hidden_layers":2,"intermediate_size":256,"max_position_embeddings":2048,
        "vocab_size":69,"rope_scaling":null,"rope_parameters":{"rope_type":"default","partial_rotary_factor":0.25,"rope_theta":10000}}
        """u8.ToArray(),
    ];

    /// <inheritdoc/>
    public override string Name => "config";

    /// <inheritdoc/>
    public override IEnumerable<(string Name, Func<FuzzInput> Create)> Extremes =>
    [
        ("many numbers", () => Input($"{{\"a\":[{string.Join(',', Enumerable.Repeat("0", 500_000))}]}}")),
        ("many members", () => Input($"{{{string.Join(',', Enumerable.Range(0, 110_000).Select(i => $"\"{i}\":0"))}}}")),
        ("a long text", () => Input($"{{\"model_type\":\"{new string('x', 1_000_000)}\"}}")),
        ("many frequencies", () => Input($"{{\"model_type\":\"gpt_neox\",\"genslm_inv_freq\":[{string.Join(',', Enumerable.Repeat("0", 500_000))}]}}")),
        ("deep nesting", () => Input(new string('[', 1_000_000))),
    ];

    /// <inheritdoc/>
    public override FuzzInput Create(Random random)
    {
        var seed = _seeds[random.Next(_seeds.Length)];
        return new FuzzInput("config.json", random.Next(10) switch
        {
            < 6 => JsonMutation.Mutate(random, seed),
            6 => ByteMutation.Splice(random, seed, _seeds[random.Next(_seeds.Length)]),
            _ => ByteMutation.Mutate(random, seed),
        });
    }

    /// <inheritdoc/>
    public override bool IsRefusal(Exception error) => error is WeightFileException;

    /// <inheritdoc/>
    public override object Read(string path) => HuggingFaceConfig.Read(path);

    /// <inheritdoc/>
    public override void Check(object result, FuzzInput input, string path)
    {
        var config = (HuggingFaceConfig)result;
        FuzzFindingException.ThrowUnless(config.Validate().IsEmpty, "The configuration that was read is not valid.");
        FuzzFindingException.ThrowUnless(config.HeadSize * config.HeadCount == config.HiddenSize, "The heads do not make up the hidden size.");
        FuzzFindingException.ThrowUnless(GptNeoXStateDict.ParameterCount(config with { LayerCount = 1 }) > 0, "The model has no parameters.");
        var again = HuggingFaceConfig.Parse(config.ToJson());
        FuzzFindingException.ThrowUnless(again == config, "The configuration written and read again is another one.");
    }

    private static FuzzInput Input(string json) => new("config.json", Encoding.UTF8.GetBytes(json));
}
