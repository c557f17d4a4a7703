using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>What a conversion recognises, keeps, leaves out and refuses.</summary>
public class ConversionTests
{
    private static readonly HuggingFaceConfig s_tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public void A_folder_takes_its_configuration_from_the_file_beside_the_input_or_from_a_preset()
    {
        using var folder = new TemporaryFolder();
        WeightConversion.Run(SharedFolder.File("reference", "published", "zero2-prefixed.pt"), folder.File("published"), new ConversionOptions());
        Assert.Equal(HuggingFaceConfig.Read(SharedFolder.File("reference", "published", "config.json")), HuggingFaceConfig.Read(folder.File("published")));

        WeightConversion.Run(Tiny(folder), folder.File("preset"), new ConversionOptions());
        Assert.Equal(s_tiny, HuggingFaceConfig.Read(folder.File("preset")));
    }

    [Fact]
    public void Buffers_are_left_out_and_named_and_the_stored_frequencies_kept_when_asked_for()
    {
        using var folder = new TemporaryFolder();
        var input = SharedFolder.File("reference", "published", "zero3.pt");
        var report = WeightConversion.Run(input, folder.File("plain.pth"), new ConversionOptions { ElementType = TensorElementType.BFloat16 });
        Assert.Equal(4, report.LeftOut.Length);
        WeightConversion.Run(input, folder.File("kept.pth"), new ConversionOptions { ElementType = TensorElementType.BFloat16, KeepRotaryFrequencies = true, KeyPrefix = "model." });

        using var plain = WeightFile.Open(folder.File("plain.pth"));
        using var kept = WeightFile.Open(folder.File("kept.pth"));
        using var source = WeightFile.Open(input);
        const string Buffer = "gpt_neox.layers.1.attention.rotary_emb.inv_freq";
        Assert.Equal((28, 30), (plain.Tensors.Count, kept.Tensors.Count));
        Assert.Equal(source.Read(Buffer), kept.Read("model." + Buffer));
        Assert.Throws<WeightFileException>(() => WeightConversion.Run(folder.File("plain.pth"), folder.File("none.pth"), new ConversionOptions { KeepRotaryFrequencies = true }));
    }

    [Fact]
    public void What_cannot_be_converted_is_one_sentence_and_leaves_nothing_behind()
    {
        using var folder = new TemporaryFolder();
        var tiny = Tiny(folder);
        var other = Write(folder, "other.safetensors", s_tiny with { IntermediateSize = 100 }, new float[GptNeoXStateDict.ParameterCount(s_tiny with { IntermediateSize = 100 })]);
        var values = new float[GptNeoXStateDict.ParameterCount(s_tiny)];
        values[^1] = 70_000;
        var large = Write(folder, "large.safetensors", s_tiny, values);
        var before = Directory.GetFileSystemEntries(folder.Path).Order(StringComparer.Ordinal).ToArray();

        Refuse("other.safetensors exists already", tiny, other);
        Refuse(".bin is not written", tiny, folder.File("x.bin"));
        Refuse("transformers expects a folder's names without one", tiny, folder.File("x"), new ConversionOptions { KeyPrefix = "model." });
        Refuse("is no preset, and the number of its heads is not in the file", other, folder.File("x"));
        Refuse("'embed_out.weight' has values beyond 65504, the largest that fp16 has", large, folder.File("x.pth"), new ConversionOptions { ElementType = TensorElementType.Float16 });
        Refuse("'embed_out.weight' has values beyond 65504, the largest that fp16 has", large, folder.File("x"), new ConversionOptions { ElementType = TensorElementType.Float16 });
        Refuse("has shape [256, 64]; the configured model expects [100, 64]", tiny, folder.File("x"), new ConversionOptions { Config = s_tiny with { IntermediateSize = 100 } });
        Assert.Equal(before, Directory.GetFileSystemEntries(folder.Path).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Heads_that_the_stored_frequencies_contradict_are_refused()
    {
        using var folder = new TemporaryFolder();
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", "published", "config.json")) with { HeadCount = 1 };
        Refuse("has 4 rotary dimensions a head", SharedFolder.File("reference", "published", "zero3.pt"), folder.File("x"), new ConversionOptions { Config = config with { RotaryFraction = 0.5 } });
    }

    [Theory]
    [InlineData("latest", "global_step5/zero_pp_rank_0_mp_rank_00_optim_states.pt", "-m deepspeed.utils.zero_to_fp32 '")]
    [InlineData("zero_to_fp32.py", "checkpoint/mp_rank_00_model_states.pt", "zero_to_fp32.py' '")]
    public void A_DeepSpeed_folder_gets_the_command_that_consolidates_it(string marker, string part, string expected)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(Path.GetDirectoryName(folder.File(part))!);
        folder.File(marker, "x"u8);
        folder.File(part, new TorchFixture().Op('}').Op('(').Text("module").Op('}').Text("ds_version").Text("0.7").Op('u').Op('.').ToArchive());
        var error = Assert.Throws<WeightFileException>(() => WeightFile.Open(folder.Path));
        Assert.Contains($"{expected}{folder.Path}'", error.Message);
        error = Assert.Throws<WeightFileException>(() => WeightFile.Open(folder.File(part)));
        Assert.Contains("this is a DeepSpeed ZeRO checkpoint", error.Message);
    }

    [Fact]
    public void A_sharded_pytorch_folder_is_read_through_its_index()
    {
        using var folder = new TemporaryFolder();
        var values = Tensors.Values(6);
        folder.File("pytorch_model-00001-of-00002.bin", Tensors.Archive("pytorch_model-00001-of-00002", [Tensors.Float("a", 2, 2)], values.AsSpan(0, 4)));
        folder.File("pytorch_model-00002-of-00002.bin", Tensors.Archive("pytorch_model-00002-of-00002", [Tensors.Float("b", 2)], values.AsSpan(4)));
        folder.File("pytorch_model.bin.index.json", """{"metadata": {}, "weight_map": {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}}"""u8);
        using var file = WeightFile.Open(folder.Path);
        Tensors.EqualBits(values, [.. file.Read("a"), .. file.Read("b")], "both");
        Assert.Equal("PyTorch archive, 2 files", file.FormatName);
    }

    private static string Tiny(TemporaryFolder folder)
    {
        var values = new float[GptNeoXStateDict.ParameterCount(s_tiny)];
        for (int i = 0; i < values.Length; i++) values[i] = i;
        return Write(folder, "tiny.safetensors", s_tiny, values);
    }

    private static string Write(TemporaryFolder folder, string name, HuggingFaceConfig config, float[] values) =>
        folder.File(name, Tensors.Safetensors(GptNeoXStateDict.Describe(config), values));

    private static void Refuse(string reason, string input, string output, ConversionOptions? options = null)
    {
        var error = Assert.Throws<WeightFileException>(() => WeightConversion.Run(input, output, options ?? new ConversionOptions()));
        Assert.Contains(reason, error.Message);
        Assert.DoesNotContain(error.Message, char.IsControl);
    }
}
