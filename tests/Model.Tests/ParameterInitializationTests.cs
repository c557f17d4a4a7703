using System.Runtime.InteropServices;
using System.Security.Cryptography;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Model.Tests;

public sealed class ParameterInitializationTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public void Any_part_of_the_vector_can_be_filled_by_itself()
    {
        var whole = new float[GptNeoXStateDict.ParameterCount(Tiny)];
        ParameterInitialization.Fill(Tiny, 42, 0, whole);
        var part = new float[5000];
        ParameterInitialization.Fill(Tiny, 42, 12345, part);
        Assert.Equal(whole[12345..17345], part);
    }

    [Fact]
    public void Matrices_are_normal_norms_one_and_biases_zero()
    {
        var config = ModelPresets.Find("tiny")! with { HiddenSize = 256 };
        var whole = new float[GptNeoXStateDict.ParameterCount(config)];
        ParameterInitialization.Fill(config, 1, 0, whole);
        int offset = 0;
        foreach (var tensor in GptNeoXStateDict.Describe(config))
        {
            var values = whole.AsSpan(offset, (int)tensor.ElementCount).ToArray();
            offset += values.Length;
            if (tensor.Name.EndsWith("bias", StringComparison.Ordinal)) Assert.All(values, value => Assert.Equal(0f, value));
            else if (tensor.Shape.Length == 1) Assert.All(values, value => Assert.Equal(1f, value));
            else
            {
                Assert.Equal(0, values.Average(), 1e-3);
                Assert.Equal(config.InitializerRange, Math.Sqrt(values.Average(value => value * value)), 5e-4);
                Assert.Equal(0.683, values.Count(value => Math.Abs(value) < config.InitializerRange) / (double)values.Length, 0.01);
            }
        }
    }

    [Fact]
    public void The_bits_never_change()
    {
        var whole = new float[GptNeoXStateDict.ParameterCount(Tiny)];
        ParameterInitialization.Fill(Tiny, 42, 0, whole);
        Assert.StartsWith("9c50cee75c6e4ea839ef33ee940a7c2e679e477ac4ff8ebc46", Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes<float>(whole))));
    }

    // GenSLM names its configuration files by a number of parameters; two of the names (244,464,576 and 25,076,188,032) are
    // those of widths 1800 and 8096, while the files themselves say 1840 and 8196, which is what counts.
    [Theory]
    [InlineData("genslm_25M_patric", 25_290_752)]
    [InlineData("genslm_250M_patric", 253_429_376)]
    [InlineData("genslm_2.5B_patric", 2_533_931_008)]
    [InlineData("genslm_25B_patric", 25_595_734_832)]
    public void Presets_have_the_parameters_of_their_published_configurations(string preset, long expected) =>
        Assert.Equal(expected, GptNeoXStateDict.ParameterCount(ModelPresets.Find(preset)!));
}
