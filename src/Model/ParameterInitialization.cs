using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Model;

/// <summary>
/// The weights a model starts from when none are given: as transformers initialises GPT-NeoX, matrices and embeddings
/// from N(0, initializer_range²), LayerNorm weights 1, all biases 0. Each value is a function of (seed, its place in
/// the flat vector), computed with the four operations and square roots alone, so that it has the same bits everywhere
/// and any part of the vector can be filled by itself.
/// </summary>
public static class ParameterInitialization
{
    private const int Draws = 3;

    // Values made at a time.
    private const int Piece = 256;

    /// <summary>Fills <paramref name="destination"/> with parameters <paramref name="offset"/>… of the flat vector.</summary>
    public static void Fill(HuggingFaceConfig config, ulong seed, long offset, Span<float> destination)
    {
        long start = 0;
        foreach (var tensor in GptNeoXStateDict.Describe(config))
        {
            long end = start + tensor.ElementCount;
            long first = Math.Max(start, offset), last = Math.Min(end, offset + destination.Length);
            if (first < last) FillTensor(tensor, config.InitializerRange, seed, first, destination[(int)(first - offset)..(int)(last - offset)]);
            start = end;
        }
    }

    private static void FillTensor(TensorDescription tensor, double standardDeviation, ulong seed, long place, Span<float> values)
    {
        if (tensor.Shape.Length == 1)
        {
            values.Fill(tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal) ? 1f : 0f);
            return;
        }

        Span<ulong> sums = stackalloc ulong[Piece];
        for (int from = 0; from < values.Length; from += Piece)
        {
            int count = Math.Min(Piece, values.Length - from);
            CounterWords.Sum(seed, RandomPurpose.Initialization, (ulong)(place + from), Draws, sums[..count]);
            for (int i = 0; i < count; i++) values[from + i] = (float)(standardDeviation * Normal(sums[i]));
        }
    }

    // The sum of twelve uniform numbers less 6 has mean 0, variance 1 and, within ±3, the shape of the normal
    // distribution to about 1 % (Irwin-Hall); it needs no logarithm or cosine, whose last bit differs between
    // mathematics libraries. Three draws of 128 bits give the twelve, in 2^-32; half a step each makes the mean 0.
    private static double Normal(ulong sumOfTwelve) => ((long)(sumOfTwelve + 6) * (1.0 / 4294967296.0)) - 6.0;
}
