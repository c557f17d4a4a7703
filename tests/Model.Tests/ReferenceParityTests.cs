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
