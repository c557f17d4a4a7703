using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

public class RotaryFrequencyTests
{
    private static readonly HuggingFaceConfig s_tiny = ModelPresets.Find("tiny")!;

    [Theory]
    [InlineData("zero3.pt")]
    [InlineData("zero2-prefixed.pt")]
    public void The_frequencies_of_a_checkpoint_trained_in_fp16_are_the_rounded_ones(string name)
    {
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", "published", "config.json"));
        using var file = WeightFile.Open(SharedFolder.File("reference", "published", name));
        var match = StateDictNames.Match(file.Tensors, GptNeoXStateDict.Describe(config), file.Path);
        Assert.Equal([1f, (float)(Half)0.01f], RotaryFrequencies.Read(file, match, config).Values);
    }

    [Fact]
    public void A_configuration_keeps_them_to_the_bit_and_refuses_what_does_not_fit()
    {
        var config = s_tiny with { RotaryFrequencies = new RotaryFrequencies([1f, (float)(Half)0.01f]) };
        Assert.Empty(config.Validate());
        Assert.Equal(config, HuggingFaceConfig.Parse(config.ToJson()));
        Assert.NotEqual(config, s_tiny);
        Assert.Contains("has 3 numbers; 2 are expected", Assert.Single((s_tiny with { RotaryFrequencies = new RotaryFrequencies([1, 2, 3]) }).Validate()));
        foreach (var bad in (string[])["\"x\"", "[true, 1]", "[-1, 1]", "[1e40, 1]"])
        {
            var json = s_tiny.ToJson().Replace("\"torch_dtype\"", $"\"genslm_inv_freq\": {bad},\n \"torch_dtype\"");
            Assert.Contains("genslm_inv_freq", Assert.Throws<WeightFileException>(() => HuggingFaceConfig.Parse(json)).Message);
        }
    }

    [Fact]
    public void Files_without_them_or_with_several_are_refused()
    {
        Refuse("stores no rotary frequencies");
        Refuse("hold different rotary frequencies", [1, 0.5f], [1, 0.25f]);
        Refuse("has shape [3]; [2] is expected", [1, 0.5f, 0.25f]);
        Refuse("holds a value that is no frequency", [1, float.NaN]);
        Refuse("holds a value that is no frequency", [1, -0.5f]);
    }

    private static void Refuse(string reason, params float[][] layers)
    {
        using var folder = new TemporaryFolder();
        var expected = GptNeoXStateDict.Describe(s_tiny);
        TensorDescription[] tensors = [.. expected, .. layers.Select((values, layer) => Tensors.Float($"gpt_neox.layers.{layer}.attention.rotary_emb.inv_freq", values.Length))];
        float[] all = [.. new float[Tensors.Count(expected)], .. layers.SelectMany(values => values)];
        using var file = WeightFile.Open(folder.File("w.safetensors", Tensors.Safetensors(tensors, all)));
        var match = StateDictNames.Match(file.Tensors, expected, file.Path);
        Assert.Contains(reason, Assert.Throws<WeightFileException>(() => RotaryFrequencies.Read(file, match, s_tiny)).Message);
    }
}
