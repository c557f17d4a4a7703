using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Every format and element type that is written comes back to the same bits, and twice to the same bytes.</summary>
public class ExportTests
{
    private static readonly HuggingFaceConfig s_config = ModelPresets.Find("tiny")! with { HiddenSize = 8, HeadCount = 1, IntermediateSize = 12 };

    public static TheoryData<string, TensorElementType> Outputs
    {
        get
        {
            var outputs = new TheoryData<string, TensorElementType>();
            foreach (var name in (string[])["out.pth", "out.pt", "out.safetensors", "folder", "shards"])
            {
                foreach (var type in (TensorElementType[])[TensorElementType.Float32, TensorElementType.Float16, TensorElementType.BFloat16]) outputs.Add(name, type);
            }

            return outputs;
        }
    }

    [Theory]
    [MemberData(nameof(Outputs))]
    public void What_is_exported_holds_the_rounded_values_and_is_always_the_same_bytes(string name, TensorElementType type)
    {
        using var folder = new TemporaryFolder();
        var (input, values) = Weights(folder, "in.safetensors", "model.");
        Directory.CreateDirectory(folder.File("again"));
        var options = new ConversionOptions { ElementType = type, Config = s_config, LargestShard = name == "shards" ? 3000 : long.MaxValue };

        WeightConversion.Run(input, folder.File(name), options);
        WeightConversion.Run(input, folder.File($"again/{name}"), options);

        Assert.Equal(Bytes(folder.File(name)), Bytes(folder.File($"again/{name}")));
        using var file = WeightFile.Open(folder.File(name));
        var match = StateDictNames.Match(file.Tensors, GptNeoXStateDict.Describe(s_config), file.Path);
        Assert.Equal(name is "folder" or "shards" ? "" : "model.", match.Prefix);
        int start = 0;
        foreach (int tensor in match.FileTensors)
        {
            Assert.Equal(type, file.Tensors[tensor].ElementType);
            var found = file.Read(tensor);
            Tensors.EqualBits(Round(type, values.AsSpan(start, found.Length)), found, file.Tensors[tensor].Name);
            start += found.Length;
        }

        Assert.Equal(values.Length, start);
        // Exported once more as it is: nothing is left to round.
        WeightConversion.Run(folder.File(name), folder.File("further.pth"), new ConversionOptions { KeyPrefix = "x." });
        using var further = WeightFile.Open(folder.File("further.pth"));
        Assert.All(further.Tensors, tensor => Assert.StartsWith("x.", tensor.Name));
        Assert.All(WeightComparison.Compare(file, further), difference => Assert.True(difference.First is null || difference.Second is null));
    }

    [Fact]
    public void A_folder_is_cut_into_shards_in_order_and_its_index_lists_every_tensor()
    {
        using var folder = new TemporaryFolder();
        var (input, _) = Weights(folder, "in.safetensors", "");
        WeightConversion.Run(input, folder.File("hf"), new ConversionOptions { Config = s_config, LargestShard = 3000 });

        var expected = GptNeoXStateDict.Describe(s_config);
        using var index = JsonDocument.Parse(File.ReadAllBytes(folder.File("hf/model.safetensors.index.json")));
        var map = index.RootElement.GetProperty("weight_map").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetString()!);
        Assert.Equal(expected.Select(tensor => tensor.Name).Order(StringComparer.Ordinal), map.Keys);
        Assert.Equal(expected.Sum(tensor => tensor.ElementCount) * 4, index.RootElement.GetProperty("metadata").GetProperty("total_size").GetInt64());
        var files = expected.Select(tensor => map[tensor.Name]).Distinct().ToArray();
        Assert.Equal(files.Order(StringComparer.Ordinal), files);
        Assert.Equal(Enumerable.Range(1, files.Length).Select(i => $"model-{i:D5}-of-{files.Length:D5}.safetensors"), files);
        foreach (var group in expected.GroupBy(tensor => map[tensor.Name]))
        {
            using var shard = SafetensorsFile.Open(folder.File("hf/" + group.Key));
            Assert.Equal("pt", shard.Metadata["format"]);
            Assert.True(group.Count() == 1 || group.Sum(tensor => tensor.ElementCount * 4) <= 3000);
        }

        Assert.Equal(s_config, HuggingFaceConfig.Read(folder.File("hf")));
    }

    [Fact]
    public void The_configuration_is_spelled_as_transformers_spells_it() => Assert.Equal(
        """
        {
          "architectures": [
            "GPTNeoXForCausalLM"
          ],
          "attention_bias": true,
          "attention_dropout": 0.0,
          "bos_token_id": 0,
          "classifier_dropout": 0.1,
          "eos_token_id": 0,
          "hidden_act": "gelu_fast",
          "hidden_dropout": 0.0,
          "hidden_size": 512,
          "initializer_range": 0.02,
          "intermediate_size": 2048,
          "layer_norm_eps": 1e-05,
          "max_position_embeddings": 2048,
          "model_type": "gpt_neox",
          "num_attention_heads": 8,
          "num_hidden_layers": 8,
          "rope_scaling": null,
          "rotary_emb_base": 10000,
          "rotary_pct": 1.0,
          "tie_word_embeddings": false,
          "torch_dtype": "bfloat16",
          "transformers_version": "4.44.2",
          "use_cache": true,
          "use_parallel_residual": false,
          "vocab_size": 69
        }

        """.ReplaceLineEndings("\n"),
        HuggingFaceConfigWriter.Write(ModelPresets.Find("genslm_25M_patric")! with { RotaryFraction = 1, UseParallelResidual = false }, TensorElementType.BFloat16));

    /// <summary>A file of the small model, and its values in state-dict order.</summary>
    private static (string Path, float[] Values) Weights(TemporaryFolder folder, string name, string prefix)
    {
        var tensors = GptNeoXStateDict.Describe(s_config).Select(tensor => tensor with { Name = prefix + tensor.Name }).ToArray();
        var random = new Random(3);
        var values = new float[Tensors.Count(tensors)];
        for (int i = 0; i < values.Length; i++) values[i] = (random.NextSingle() - 0.5f) * MathF.ScaleB(1, random.Next(-30, 8));
        return (folder.File(name, Tensors.Safetensors(tensors, values)), values);
    }

    private static float[] Round(TensorElementType type, ReadOnlySpan<float> values) =>
        type == TensorElementType.Float32 ? values.ToArray() : Tensors.Load(type, Tensors.Store(type, values));

    private static byte[] Bytes(string path) => !Directory.Exists(path)
        ? File.ReadAllBytes(path)
        : [.. Directory.GetFiles(path).Order(StringComparer.Ordinal).SelectMany(file => (byte[])[.. System.Text.Encoding.UTF8.GetBytes(Path.GetFileName(file)), .. File.ReadAllBytes(file)])];
}
