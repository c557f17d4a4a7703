using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

public class HuggingFaceConfigTests
{
    private const string Smallest =
        """
        "model_type": "gpt_neox", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 2,
        "intermediate_size": 128, "max_position_embeddings": 32, "vocab_size": 69
        """;

    [Fact]
    public void Absent_keys_have_the_defaults_of_transformers()
    {
        var config = Read($"{{{Smallest}}}");
        Assert.Equal(("gelu", 0.25, 10000.0, 1e-5), (config.HiddenActivation, config.RotaryFraction, config.RotaryBase, config.LayerNormEpsilon));
        Assert.Equal((true, true, false, 0.02), (config.UseParallelResidual, config.AttentionBias, config.TieWordEmbeddings, config.InitializerRange));
    }

    [Fact]
    public void What_is_written_is_read_back_whatever_the_values()
    {
        var config = ModelPresets.Find("genslm_250M_patric")! with
        {
            HiddenActivation = "relu",
            UseParallelResidual = false,
            AttentionBias = false,
            RotaryFraction = 0.1 + 0.2,
            RotaryBase = 500000,
            LayerNormEpsilon = 1e-12,
            InitializerRange = 1.0 / 3,
        };
        Assert.Equal(config, Read(config.ToJson()));
    }

    [Fact]
    public void The_rotary_keys_of_transformers_5_are_understood()
    {
        var config = Read("{" + Smallest + """, "rope_parameters": {"rope_type": "default", "rope_theta": 500, "partial_rotary_factor": 0.5}}""");
        Assert.Equal((500.0, 0.5), (config.RotaryBase, config.RotaryFraction));
    }

    [Theory]
    [InlineData("\"hidden_size\": 66", "hidden_size is 66, which 4 heads do not divide")]
    [InlineData("\"hidden_act\": \"swish\"", "hidden_act is 'swish'; it must be gelu, gelu_fast, gelu_new, gelu_pytorch_tanh or relu")]
    [InlineData("\"model_type\": \"gpt2\"", "model_type is 'gpt2'")]
    [InlineData("\"model_type\": null", "there is no model_type")]
    [InlineData("\"vocab_size\": 0", "vocab_size is 0; it must be from 1")]
    [InlineData("\"vocab_size\": \"69\"", "an integer is expected")]
    [InlineData("\"vocab_size\": 69.5", "an integer is expected")]
    [InlineData("\"vocab_size\": 99999999999", "an integer is expected")]
    [InlineData("\"rotary_pct\": 2", "rotary_pct is 2; it must be from 0 to 1")]
    [InlineData("\"rotary_pct\": 0.2", "turns 3 dimensions of a head of 16; their number must be even")]
    [InlineData("\"rotary_pct\": 1e999", "rotary_pct")]
    [InlineData("\"layer_norm_eps\": -1", "layer_norm_eps is -1")]
    [InlineData("\"tie_word_embeddings\": true", "tie_word_embeddings is true")]
    [InlineData("\"use_parallel_residual\": 1", "true or false is expected")]
    [InlineData("\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}", "rope_scaling is set")]
    [InlineData("\"rope_parameters\": {\"rope_type\": \"yarn\"}", "rope_type is '\"yarn\"'")]
    [InlineData("\"attention_dropout\": 0.1", "attention_dropout is not 0")]
    public void A_configuration_that_cannot_be_used_is_refused_with_a_sentence(string line, string reason)
    {
        var key = line[..line.IndexOf(':')];
        var rest = string.Join(",", Smallest.Split(',').Where(entry => !entry.Trim().StartsWith(key)));
        Assert.Contains(reason, Assert.Throws<WeightFileException>(() => Read($"{{{rest}, {line}}}")).Message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{\"model_type\": \"gpt_neox\"}")]
    [InlineData("{\"model_type\": \"gpt_neox\", \"model_type\": \"gpt_neox\"}")]
    [InlineData("{\"model_type\": \"\\ud800\"}")]
    public void What_is_not_a_configuration_is_refused(string json) => Assert.Throws<WeightFileException>(() => Read(json));

    [Fact]
    public void All_presets_are_valid_but_the_largest_whose_head_size_nobody_knows()
    {
        foreach (var (name, config) in ModelPresets.All)
        {
            if (name == "genslm_25B_patric") Assert.Contains("8196, which 64 heads do not divide", Assert.Single(config.Validate()));
            else Assert.Empty(config.Validate());
        }
    }

    private static HuggingFaceConfig Read(string json)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("config.json"), json);
        return HuggingFaceConfig.Read(folder.Path);
    }
}
