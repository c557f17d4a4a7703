using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Files that PyTorch, Lightning's converters and DeepSpeed wrote, beside the same parameters as plain safetensors.</summary>
public class ReferenceFileTests
{
    [Theory]
    [InlineData("a", "state-dict.pth", "")]
    [InlineData("a", "plain.pt", "")]
    [InlineData("a", "prefixed.pt", "model.")]
    [InlineData("a", "with-buffers.pt", "model.")]
    [InlineData("a", "half.pt", "")]
    [InlineData("b", "state-dict.pth", "")]
    [InlineData("b", "plain.pt", "")]
    [InlineData("b", "prefixed.pt", "model.")]
    [InlineData("b", "with-buffers.pt", "model.")]
    [InlineData("b", "half.pt", "")]
    [InlineData("published", "zero3.pt", "")]
    [InlineData("published", "zero2-prefixed.pt", "model.")]
    [InlineData("published", "state-dict-metadata.pth", "")]
    [InlineData("published", "strided.pth", "")]
    [InlineData("published", "bf16.pth", "")]
    [InlineData("published", "parameters.pth", "")]
    [InlineData("published", "before-1.6.pth", "")]
    public void Every_published_kind_of_file_holds_the_values_of_the_safetensors_beside_it(string set, string name, string prefix)
    {
        var expected = GptNeoXStateDict.Describe(HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json")));
        using var truth = WeightFile.Open(SharedFolder.File("reference", set, "weights.safetensors"));
        using var file = WeightFile.Open(SharedFolder.File("reference", set, name));

        var match = StateDictNames.Match(file.Tensors, expected, file.Path);

        Assert.Equal(prefix, match.Prefix);
        Assert.Equal(expected.Length, match.FileTensors.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            var type = file.Tensors[match.FileTensors[i]].ElementType;
            var values = Array.ConvertAll(truth.Read(expected[i].Name), value => Round(type, value));
            Tensors.EqualBits(values, file.Read(match.FileTensors[i]), $"{name}, {expected[i].Name}");
        }
    }

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    public void The_parameters_in_state_dict_order_have_the_hash_that_PyTorch_found(string set)
    {
        var expected = GptNeoXStateDict.Describe(HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json")));
        using var file = WeightFile.Open(SharedFolder.File("reference", set, "state-dict.pth"));
        using var json = JsonDocument.Parse(File.ReadAllBytes(SharedFolder.File("reference", set, "expected.json")));

        Assert.Equal(expected.Select(tensor => tensor.Name), file.Tensors.Select(tensor => tensor.Name));
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (int i = 0; i < file.Tensors.Count; i++) hash.AppendData(MemoryMarshal.AsBytes<float>(file.Read(i)));
        Assert.Equal(json.RootElement.GetProperty("paramsSha256").GetString(), Convert.ToHexStringLower(hash.GetHashAndReset()));
    }

    [Theory]
    [InlineData("a", "with-buffers.pt")]
    [InlineData("published", "zero3.pt")]
    [InlineData("published", "zero2-prefixed.pt")]
    [InlineData("published", "state-dict-metadata.pth")]
    public void Buffers_of_older_versions_are_left_out_and_listed(string set, string name)
    {
        var expected = GptNeoXStateDict.Describe(HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json")));
        using var file = WeightFile.Open(SharedFolder.File("reference", set, name));

        var match = StateDictNames.Match(file.Tensors, expected, file.Path);

        Assert.Equal(file.Tensors.Count - expected.Length, match.IgnoredBuffers.Length);
        Assert.Contains(match.Prefix + "gpt_neox.layers.1.attention.masked_bias", match.IgnoredBuffers);
    }

    [Fact]
    public void Checksums_of_a_file_that_PyTorch_wrote_are_verified_and_a_flipped_bit_is_found()
    {
        var path = SharedFolder.File("reference", "published", "zero3.pt");
        using (var file = TorchArchive.Open(path)) file.VerifyChecksums();

        using var folder = new TemporaryFolder();
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 4;
        using var damaged = TorchArchive.Open(folder.File("damaged.pt", bytes));
        Assert.Contains("CRC-32", Assert.Throws<WeightFileException>(damaged.VerifyChecksums).Message);
    }

    [Fact]
    public void Plain_values_beside_the_state_dict_are_metadata()
    {
        using var file = WeightFile.Open(SharedFolder.File("reference", "published", "zero3.pt"));
        Assert.Equal("1", file.Metadata["epoch"]);
        Assert.Equal("1.6.5", file.Metadata["pytorch-lightning_version"]);
    }

    [Fact]
    public void Token_ids_are_read_as_integers_and_not_as_floats()
    {
        using var file = WeightFile.Open(SharedFolder.File("reference", "published", "expected.safetensors"));
        int ids = file.IndexOf("full.input_ids");
        var tokens = new long[file.Tensors[ids].ElementCount];
        file.ReadInt64(ids, 0, tokens);
        Assert.All(tokens, token => Assert.InRange(token, 0, 68));
        Assert.Throws<WeightFileException>(() => file.ReadFloat32(ids, 0, new float[1]));
    }

    [Theory]
    [InlineData("a", 75904)]
    [InlineData("published", 27412)]
    public void Configurations_as_GenSLM_writes_them_are_read_and_survive_being_written(string set, long parameters)
    {
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json"));
        Assert.Equal(parameters, GptNeoXStateDict.ParameterCount(config));
        Assert.Equal("gelu_fast", config.HiddenActivation);

        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("config.json"), config.ToJson());
        Assert.Equal(config, HuggingFaceConfig.Read(folder.Path));
    }

    private static float Round(TensorElementType type, float value) => type switch
    {
        TensorElementType.Float16 => (float)(Half)value,
        // Round to nearest, ties to even, on the upper half of the pattern.
        TensorElementType.BFloat16 => BitConverter.UInt32BitsToSingle(
            (BitConverter.SingleToUInt32Bits(value) + 0x7fff + ((BitConverter.SingleToUInt32Bits(value) >> 16) & 1)) & 0xffff0000),
        _ => value,
    };
}
