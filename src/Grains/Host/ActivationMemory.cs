using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Host;

/// <summary>
/// What a micro-batch holds at most, counted from <c>GptNeoX.cs</c>: of each layer what its backward needs, and of the one that is computed
/// everything; a batch of validation, which has no backward, of each layer its output alone. D hidden width, I intermediate width, V vocabulary; attention is computed in tiles and keeps no T × T scores.
/// </summary>
public static class ActivationMemory
{
    // What kernels take for themselves, more of it where they add up bf16 in fp32, and what lies idle between pieces of
    // different sizes; as measured (bench memory).
    private const double Fp32Slack = 1.1;
    private const double Bf16Slack = 1.2;
    private const long KernelBytes = 16L << 20;

    /// <summary>Bytes of one micro-batch, or of one batch of validation where that is larger, at most.</summary>
    /// <param name="config">The architecture.</param>
    /// <param name="spec">The run.</param>
    /// <param name="columns">Tokens of a row, padding included.</param>
    public static long Bytes(HuggingFaceConfig config, RunSpec spec, int columns) => Math.Max(
        Bytes(config, spec, spec.BatchSize, columns, withBackward: true),
        spec.Validates || spec.TestData.Length > 0 ? Bytes(config, spec, spec.EvaluationBatchSize, columns, withBackward: false) : 0);

    private static long Bytes(HuggingFaceConfig config, RunSpec spec, int records, int columns, bool withBackward)
    {
        double elementBytes = spec.Precision == Precision.Bf16 ? 2 : 4;
        double tokens = (double)records * columns;
        double width = config.HiddenSize, inner = config.IntermediateSize, words = config.VocabularySize;
        // Its input, both norms' results, fused projection (3), queries and keys turned (2), attention before its last product; the
        // perceptron before and after its activation. One after the other, the perceptron has an input of its own.
        double layer = ((config.UseParallelResidual ? 9 : 10) * width) + (2 * inner);
        // Backward through one layer has gradients of its widest pieces besides.
        double backward = (8 * width) + (3 * inner);
        double ends = (3 * width) + words;
        // Without it, what turning queries and keys takes on the way is there until the layer is done; as measured (bench memory).
        double turning = 5 * width;
        double elements = tokens * (withBackward ? (config.LayerCount * layer) + backward + ends : (config.LayerCount * width) + layer + turning + ends);
        // Logits, their logarithms and the gradient of each, in fp32; one-hot rows as int64.
        double scores = tokens * words * ((withBackward ? 4 * 4 : 2 * 4) + 8);
        // The logarithms of attention's denominators, in fp32.
        double attention = tokens * config.LayerCount * config.HeadCount * 4;
        // Where padded queries count, every layer keeps the mask that was added to its scores.
        if (spec.PadTokens == PadCounting.Count) attention += (double)records * columns * columns * (((withBackward ? config.LayerCount : 1) * elementBytes) + 2);
        return KernelBytes + (long)((spec.Precision == Precision.Bf16 ? Bf16Slack : Fp32Slack) * ((elements * elementBytes) + scores + attention));
    }
}
