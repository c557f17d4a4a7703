using System.Text.Json;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Commands;
using GenSlmOrleans.Client.Commands.Weights;
using GenSlmOrleans.Client.Options;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

/// <summary>genslm weights as a user meets it.</summary>
public sealed class WeightsCommandTests
{
    [Fact]
    public async Task Inspect_tells_format_types_parameters_preset_and_every_tensor()
    {
        using var folder = new TemporaryFolder();
        var path = Weights(folder, "tiny.pth", "model.");
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("weights", "inspect", path);
        Assert.Equal((0, ""), (exitCode, errors));
        Assert.Contains("format        PyTorch archive\nelement type  fp32\nparameters    108,928 in 28 tensors\n", output);
        Assert.Contains("names         Hugging Face's behind 'model.'\n", output);
        Assert.Contains("preset        tiny\n", output);
        Assert.Contains("model.gpt_neox.layers.1.mlp.dense_4h_to_h.weight          fp32  [64, 256]  16,384\n", output);

        using var json = JsonDocument.Parse((await CapturedConsole.RunAsync("weights", "inspect", path, "--json")).Output);
        Assert.Equal("tiny", json.RootElement.GetProperty("preset").GetString());
        Assert.Equal(108_928, json.RootElement.GetProperty("parameters").GetInt64());
        Assert.Equal(28, json.RootElement.GetProperty("tensors").GetArrayLength());
    }

    [Fact]
    public async Task Inspect_shows_a_file_that_is_no_model_and_says_why_not()
    {
        using var folder = new TemporaryFolder();
        var path = folder.File("other.safetensors");
        Write(path, [new TensorDescription("a\u001b[31m", TensorElementType.BFloat16, [2])], new float[2]);
        var (exitCode, output, _) = await CapturedConsole.RunAsync("weights", "inspect", path);
        Assert.Equal(0, exitCode);
        Assert.Contains("there is no 'gpt_neox.embed_in.weight'", output);
        Assert.DoesNotContain('\u001b', output);
    }

    [Fact]
    public async Task Convert_then_diff_goes_round_and_diff_finds_what_changed()
    {
        using var folder = new TemporaryFolder();
        var path = Weights(folder, "tiny.pth", "model.");
        string half = folder.File("half"), back = folder.File("back.pt");
        var (exitCode, output, errors) = await CapturedConsole.RunAsync("weights", "convert", path, half, "--dtype", "bf16", "--max-shard-size", "50KB");
        Assert.Equal((0, "", $"{half}: Hugging Face folder, 108,928 parameters\n"), (exitCode, output, errors));
        Assert.True(File.Exists(Path.Combine(half, "model.safetensors.index.json")));
        Assert.Equal(0, (await CapturedConsole.RunAsync("weights", "convert", half, back, "--dtype", "fp32", "--key-prefix", "model.")).ExitCode);
        Assert.Equal(0, (await CapturedConsole.RunAsync("weights", "diff", half, back)).ExitCode);

        (exitCode, output, errors) = await CapturedConsole.RunAsync("weights", "diff", path, back, "--tolerance", "1e-4");
        Assert.Equal((1, "28 of 28 tensors are further apart than 1e-4 or not comparable\n"), (exitCode, errors));
        Assert.Equal(29, output.TrimEnd('\n').Split('\n').Length);
        Assert.Equal(0, (await CapturedConsole.RunAsync("weights", "diff", path, back, "--tolerance", "0.01")).ExitCode);

        using var json = JsonDocument.Parse((await CapturedConsole.RunAsync("weights", "diff", path, back, "--json")).Output);
        Assert.False(json.RootElement.GetProperty("withinTolerance").GetBoolean());
        Assert.InRange(json.RootElement.GetProperty("maximumRelative").GetDouble(), 1e-4, 1 / 256.0);
        Assert.Equal(28, json.RootElement.GetProperty("tensors").GetArrayLength());
    }

    [Fact]
    public async Task Diff_of_other_architectures_names_what_cannot_be_compared()
    {
        using var folder = new TemporaryFolder();
        var other = folder.File("other.safetensors");
        var config = ModelPresets.Find("tiny")! with { IntermediateSize = 128, LayerCount = 1 };
        Write(other, GptNeoXStateDict.Describe(config), new float[GptNeoXStateDict.ParameterCount(config)]);
        var (exitCode, output, _) = await CapturedConsole.RunAsync("weights", "diff", Weights(folder, "tiny.pth", ""), other, "--tolerance", "1000");
        Assert.Equal(1, exitCode);
        Assert.Contains("missing in B", output);
        Assert.Contains("[128, 64] in B", output);
    }

    [Fact]
    public async Task Convert_says_which_buffers_it_left_out_and_does_not_overwrite()
    {
        using var folder = new TemporaryFolder();
        var input = SharedFolder.File("reference", "published", "zero3.pt");
        var output = folder.File("plain.safetensors");
        var (exitCode, _, errors) = await CapturedConsole.RunAsync("weights", "convert", input, output);
        Assert.Equal((0, $"{output}: safetensors, 27,412 parameters; 4 buffers left out, such as gpt_neox.layers.0.attention.masked_bias\n"), (exitCode, errors));
        (exitCode, _, errors) = await CapturedConsole.RunAsync("weights", "convert", input, output);
        Assert.Equal((2, $"{output} exists already; a name that is free is expected.\n"), (exitCode, errors));
        (exitCode, _, errors) = await CapturedConsole.RunAsync("weights", "convert", input, Path.Combine(output, "below.pth"));
        Assert.Equal(2, exitCode);
        Assert.Contains("cannot be written", errors);
    }

    [Theory]
    [InlineData("5GB", 5_000_000_000)]
    [InlineData("2GiB", 2L << 30)]
    [InlineData("0.5 MB", 500_000)]
    [InlineData("1000", 1000)]
    public void Sizes_are_read_as_transformers_reads_them(string text, long bytes) => Assert.Equal(bytes, ConvertCommand.Size(text));

    [Fact]
    public void The_frequencies_that_a_checkpoint_stores_go_into_the_runs_configuration_only_when_asked_for()
    {
        using var folder = new TemporaryFolder();
        var data = folder.File("data.fasta", ">a\nATGGCC\n>b\nATGGCT\n>c\nATGGCA\n"u8);
        var spec = new RunSpec
        {
            Data = data,
            Output = folder.File("output"),
            Weights = SharedFolder.File("reference", "published", "zero3.pt"),
            Model = SharedFolder.File("reference", "published", "config.json"),
        };
        var plain = SubmissionCheck.Resolve(new TrainSettings { Spec = spec });
        var stored = SubmissionCheck.Resolve(new TrainSettings { Spec = spec with { RotaryFromCheckpoint = true } });
        Assert.Null(HuggingFaceConfig.Parse(plain.ModelConfig).RotaryFrequencies);
        Assert.Equal(new RotaryFrequencies([1f, (float)(Half)0.01f]), HuggingFaceConfig.Parse(stored.ModelConfig).RotaryFrequencies);

        var without = new TrainSettings { Spec = spec with { RotaryFromCheckpoint = true, Weights = SharedFolder.File("reference", "published", "weights.safetensors") } };
        Assert.Contains("stores no rotary frequencies", Assert.Throws<WeightFileException>(() => SubmissionCheck.Resolve(without)).Message);
    }

    private static string Weights(TemporaryFolder folder, string name, string prefix)
    {
        var tensors = GptNeoXStateDict.Describe(ModelPresets.Find("tiny")!).Select(tensor => tensor with { Name = prefix + tensor.Name }).ToArray();
        var values = new float[tensors.Sum(tensor => tensor.ElementCount)];
        for (int i = 0; i < values.Length; i++) values[i] = MathF.Sin(i);
        var path = folder.File(name);
        Write(path, tensors, values);
        return path;
    }

    private static void Write(string path, IReadOnlyList<TensorDescription> tensors, float[] values)
    {
        using var stream = File.Create(path);
        using WeightWriter writer = path.EndsWith(".pth", StringComparison.Ordinal) ? new TorchArchiveWriter(stream, "w", tensors) : new SafetensorsWriter(stream, tensors);
        writer.Write(values);
        writer.Complete();
    }
}
