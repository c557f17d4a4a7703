using System.Text.Json;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Model.Tests;

/// <summary>Against values that Hugging Face's own GPT-NeoX computed; tolerances from the reference's README.</summary>
public sealed class ReferenceParityTests
{
    [Theory]
    [InlineData("a", PadTokens.Ignore)]
    [InlineData("a", PadTokens.Count)]
    [InlineData("b", PadTokens.Ignore)]
    [InlineData("b", PadTokens.Count)]
    public void Logits_losses_and_gradients_are_those_of_transformers(string set, PadTokens padTokens)
    {
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json"));
        using var expected = WeightFile.Open(SharedFolder.File("reference", set, "expected.safetensors"));
        var batch = BatchOf(expected, "input_ids", "attention_mask");
        using var replica = Batches.Load(config, SharedFolder.File("reference", set, "weights.safetensors"), padTokens);

        if (padTokens == PadTokens.Ignore)
        {
            var (hidden, logits) = replica.Infer(batch);
            AssertRealRowsClose(Batches.ReadTensor(expected, "logits"), logits, batch, config.VocabularySize, 1e-5);
            AssertRealRowsClose(Batches.ReadTensor(expected, "last_hidden_state"), hidden, batch, config.HiddenSize, 1e-5);
        }

        var flavour = padTokens == PadTokens.Count ? "count" : "ignore";
        var gradient = replica.RentGradient();
        var loss = replica.Accumulate(batch, 1f / CausalLoss.CountTargets(batch, padTokens), gradient);
        using var json = JsonDocument.Parse(File.ReadAllText(SharedFolder.File("reference", set, "expected.json")));
        var numbers = json.RootElement.GetProperty(flavour);
        Assert.Equal(numbers.GetProperty("loss").GetDouble(), loss.LossSum / loss.LossTokens, 1e-5);

        long offset = 0;
        double squares = 0;
        foreach (var tensor in GptNeoXStateDict.Describe(config))
        {
            var found = new float[tensor.ElementCount];
            gradient.Read(offset, found);
            AssertClose(Batches.ReadTensor(expected, $"grad_{flavour}.{tensor.Name}"), found, 1e-6, tensor.Name);
            squares += found.Sum(value => (double)value * value);
            offset += found.Length;
        }

        Assert.Equal(numbers.GetProperty("gradientNorm").GetDouble(), Math.Sqrt(squares), 1e-5);
        gradient.Dispose();
    }

    [Fact]
    public void A_head_size_that_four_does_not_divide_and_2048_positions_are_those_of_transformers()
    {
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", "published", "config.json"));
        using var expected = WeightFile.Open(SharedFolder.File("reference", "published", "expected.safetensors"));
        using var replica = Batches.Load(config, SharedFolder.File("reference", "published", "weights.safetensors"));

        var full = BatchOf(expected, "full.input_ids", "full.attention_mask");
        var (hidden, logits) = replica.Infer(full);
        AssertRealRowsClose(Batches.ReadTensor(expected, "fp32.full.logits"), logits, full, config.VocabularySize, 1e-5);
        AssertRealRowsClose(Batches.ReadTensor(expected, "fp32.full.last_hidden_state"), hidden, full, config.HiddenSize, 1e-5);

        var genome = BatchOf(expected, "genome.input_ids", mask: null);
        (hidden, logits) = replica.Infer(genome);
        var rows = ReadIntegers(expected, "genome.rows");
        AssertClose(Batches.ReadTensor(expected, "fp32.genome.logits"), Rows(logits, rows, config.VocabularySize), 1e-5, "genome logits");
        AssertClose(Batches.ReadTensor(expected, "fp32.genome.last_hidden_state"), Rows(hidden, rows, config.HiddenSize), 1e-5, "genome hidden states");

        using var json = JsonDocument.Parse(File.ReadAllText(SharedFolder.File("reference", "published", "expected.json")));
        var losses = json.RootElement.GetProperty("losses").GetProperty("fp32");
        var loss = replica.Evaluate(genome);
        Assert.Equal(losses.GetProperty("genome.loss").GetDouble(), loss.LossSum / loss.LossTokens, 5e-6);
        loss = replica.Evaluate(full);
        Assert.Equal(losses.GetProperty("full.loss.ignore").GetDouble(), loss.LossSum / loss.LossTokens, 5e-6);
        using var counting = Batches.Load(config, SharedFolder.File("reference", "published", "weights.safetensors"), PadTokens.Count);
        loss = counting.Evaluate(full);
        Assert.Equal(losses.GetProperty("full.loss.count").GetDouble(), loss.LossSum / loss.LossTokens, 5e-6);
    }

    [Theory]
    [InlineData("a", "state-dict.pth")]
    [InlineData("a", "plain.pt")]
    [InlineData("a", "prefixed.pt")]
    [InlineData("a", "with-buffers.pt")]
    [InlineData("b", "state-dict.pth")]
    [InlineData("b", "plain.pt")]
    [InlineData("b", "prefixed.pt")]
    [InlineData("b", "with-buffers.pt")]
    public void Every_way_to_store_weights_gives_the_logits_of_transformers(string set, string name)
    {
        using var expected = WeightFile.Open(SharedFolder.File("reference", set, "expected.safetensors"));
        var (logits, batch, vocabulary) = Infer(set, name, expected, "input_ids", "attention_mask");
        AssertRealRowsClose(Batches.ReadTensor(expected, "logits"), logits, batch, vocabulary, 1e-5);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("b")]
    public void Weights_stored_in_half_precision_are_the_rounded_ones_computed_in_fp32(string set)
    {
        using var expected = WeightFile.Open(SharedFolder.File("reference", set, "expected.safetensors"));
        var (logits, batch, vocabulary) = Infer(set, "half.pt", expected, "input_ids", "attention_mask");
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json"));
        var rounded = Batches.ReadVector(config, SharedFolder.File("reference", set, "weights.safetensors"));
        for (int i = 0; i < rounded.Length; i++) rounded[i] = (float)(Half)rounded[i];
        using var replica = new Replica(config, TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        replica.WriteParameters(0, rounded);
        Assert.Equal(replica.Infer(batch).Logits, logits);
        // How far fp16 rounding moves them, by the README, whose 2e-3 is itself rounded: 2.02e-3 in set b.
        AssertRealRowsClose(Batches.ReadTensor(expected, "logits"), logits, batch, vocabulary, 2.05e-3);
    }

    [Theory]
    [InlineData("zero3.pt", "fp32")]
    [InlineData("zero2-prefixed.pt", "fp32")]
    [InlineData("state-dict-metadata.pth", "fp32")]
    [InlineData("strided.pth", "fp32")]
    [InlineData("parameters.pth", "fp32")]
    [InlineData("before-1.6.pth", "fp32")]
    [InlineData("bf16.pth", "weights-through-bf16")]
    public void Every_published_kind_of_file_gives_the_logits_of_transformers_over_a_whole_genome(string name, string flavour)
    {
        using var expected = WeightFile.Open(SharedFolder.File("reference", "published", "expected.safetensors"));
        var (logits, batch, vocabulary) = Infer("published", name, expected, "genome.input_ids", mask: null);
        var rows = ReadIntegers(expected, "genome.rows");
        AssertClose(Batches.ReadTensor(expected, $"{flavour}.genome.logits"), Rows(logits, rows, vocabulary), 1e-5, name);
        Assert.Equal(batch.Columns * vocabulary, logits.Length);
    }

    [Theory]
    [InlineData("zero3.pt")]
    [InlineData("zero2-prefixed.pt")]
    public void Stored_rotary_frequencies_give_the_logits_of_the_transformers_that_GenSLM_pins(string name)
    {
        var path = SharedFolder.File("reference", "published", name);
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", "published", "config.json"));
        using (var weights = WeightFile.Open(path))
            config = config with { RotaryFrequencies = RotaryFrequencies.Read(weights, StateDictNames.Match(weights.Tensors, GptNeoXStateDict.Describe(config), path), config) };
        using var expected = WeightFile.Open(SharedFolder.File("reference", "published", "expected.safetensors"));
        var genome = BatchOf(expected, "genome.input_ids", mask: null);
        using var replica = new Replica(HuggingFaceConfig.Parse(config.ToJson()), TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        replica.WriteParameters(0, Parameters(path, config));

        var found = Rows(replica.Infer(genome).Logits, ReadIntegers(expected, "genome.rows"), config.VocabularySize);
        AssertClose(Batches.ReadTensor(expected, "inv_freq-through-fp16.genome.logits"), found, 1e-5, name);
        // The references themselves are 3.2e-5 apart at these rows (8e-5 over all positions): more than the tolerance, so exact
        // frequencies would have failed above.
        var exact = Batches.ReadTensor(expected, "fp32.genome.logits");
        Assert.True(exact.Zip(found, (a, b) => Math.Abs(a - b)).Max() > 2e-5);
        using var json = JsonDocument.Parse(File.ReadAllText(SharedFolder.File("reference", "published", "expected.json")));
        var loss = replica.Evaluate(genome);
        Assert.Equal(json.RootElement.GetProperty("losses").GetProperty("inv_freq-through-fp16").GetProperty("genome.loss").GetDouble(), loss.LossSum / loss.LossTokens, 5e-6);
    }

    [Theory]
    [InlineData("out.pth", TensorElementType.Float16, "weights-through-fp16")]
    [InlineData("out.safetensors", TensorElementType.Float16, "weights-through-fp16")]
    [InlineData("folder", TensorElementType.BFloat16, "weights-through-bf16")]
    [InlineData("folder", TensorElementType.Float32, "fp32")]
    public void What_we_export_gives_the_logits_of_weights_that_PyTorch_rounded(string name, TensorElementType type, string flavour)
    {
        using var folder = new TemporaryFolder();
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", "published", "config.json"));
        WeightConversion.Run(SharedFolder.File("reference", "published", "strided.pth"), folder.File(name), new ConversionOptions { ElementType = type, LargestShard = 20_000 });
        using var expected = WeightFile.Open(SharedFolder.File("reference", "published", "expected.safetensors"));
        using var replica = new Replica(config, TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        replica.WriteParameters(0, Parameters(folder.File(name), config));
        var logits = replica.Infer(BatchOf(expected, "genome.input_ids", mask: null)).Logits;
        AssertClose(Batches.ReadTensor(expected, $"{flavour}.genome.logits"), Rows(logits, ReadIntegers(expected, "genome.rows"), config.VocabularySize), 1e-5, name);
    }

    // Through the reader that runs load their weights with.
    private static float[] Parameters(string path, HuggingFaceConfig config)
    {
        using var vector = FlatVector.OpenParameters(path, config);
        var parameters = new float[vector.Count];
        for (int done = 0; done < parameters.Length; done += 10_007)
            vector.Read(done, parameters.AsSpan(done, Math.Min(10_007, parameters.Length - done)));
        return parameters;
    }

    private static (float[] Logits, Genomics.MicroBatch Batch, int Vocabulary) Infer(string set, string name, WeightFile expected, string ids, string? mask)
    {
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json"));
        var batch = BatchOf(expected, ids, mask);
        using var replica = new Replica(config, TestDevice.Name, ComputePrecision.Fp32, PadTokens.Ignore);
        replica.WriteParameters(0, Parameters(SharedFolder.File("reference", set, name), config));
        return (replica.Infer(batch).Logits, batch, config.VocabularySize);
    }

    private static Genomics.MicroBatch BatchOf(WeightFile file, string ids, string? mask)
    {
        var shape = file.Tensors[file.IndexOf(ids)].Shape;
        int rows = (int)shape[0], columns = (int)shape[1];
        var tokens = ReadIntegers(file, ids);
        var real = mask is null ? Enumerable.Repeat(1L, tokens.Length).ToArray() : ReadIntegers(file, mask);
        return Batches.Pad([.. Enumerable.Range(0, rows).Select(row => Enumerable.Range(row * columns, columns)
            .Where(i => real[i] != 0).Select(i => (int)tokens[i]).ToArray())], columns);
    }

    private static long[] ReadIntegers(WeightFile file, string name)
    {
        int index = file.IndexOf(name);
        var values = new long[file.Tensors[index].ElementCount];
        file.ReadInt64(index, 0, values);
        return values;
    }

    private static float[] Rows(float[] values, long[] rows, int width) =>
        [.. rows.SelectMany(row => values.AsSpan((int)row * width, width).ToArray())];

    private static void AssertRealRowsClose(float[] expected, float[] found, Genomics.MicroBatch batch, int width, double tolerance)
    {
        for (int row = 0; row < batch.RecordCount; row++)
        {
            int start = row * batch.Columns * width, count = batch.Lengths[row] * width;
            AssertClose(expected[start..(start + count)], found[start..(start + count)], tolerance, $"record {row}");
        }
    }

    private static void AssertClose(float[] expected, float[] found, double tolerance, string what)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - found[i]) <= tolerance, $"{what}[{i}] is {found[i]:R}; transformers computed {expected[i]:R}");
    }
}
