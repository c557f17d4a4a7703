using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Model.Tests;

/// <summary>Micro-batches and replicas for tests.</summary>
internal static class Batches
{
    /// <summary>Records right-padded to the longest, or to <paramref name="columns"/>.</summary>
    public static MicroBatch Pad(IReadOnlyList<int[]> records, int? columns = null)
    {
        int width = columns ?? records.Max(record => record.Length);
        var ids = new byte[records.Count * width];
        Array.Fill(ids, CodonVocabulary.PadId);
        for (int row = 0; row < records.Count; row++)
            for (int i = 0; i < records[row].Length; i++) ids[(row * width) + i] = (byte)records[row][i];
        return new MicroBatch(records.Count, width, ids, [.. records.Select(record => record.Length)]);
    }

    /// <summary>A replica with the weights of a file.</summary>
    public static Replica Load(HuggingFaceConfig config, string weights, PadTokens padTokens = PadTokens.Ignore, ComputePrecision precision = ComputePrecision.Fp32)
    {
        var replica = new Replica(config, TestDevice.Name, precision, padTokens);
        replica.WriteParameters(0, ReadVector(config, weights));
        return replica;
    }

    /// <summary>All parameters of a file, in state-dict order; <paramref name="prefix"/> goes in front of the names.</summary>
    public static float[] ReadVector(HuggingFaceConfig config, string path, string prefix = "")
    {
        using var file = WeightFile.Open(path);
        var vector = new float[GptNeoXStateDict.ParameterCount(config)];
        int offset = 0;
        foreach (var tensor in GptNeoXStateDict.Describe(config))
        {
            file.ReadFloat32(file.IndexOf(prefix + tensor.Name), 0, vector.AsSpan(offset, (int)tensor.ElementCount));
            offset += (int)tensor.ElementCount;
        }

        return vector;
    }

    /// <summary>One tensor of a file.</summary>
    public static float[] ReadTensor(WeightFile file, string name)
    {
        int index = file.IndexOf(name);
        var values = new float[file.Tensors[index].ElementCount];
        file.ReadFloat32(index, 0, values);
        return values;
    }

    /// <summary>A seeded model of an unusual shape: head size 6 with 2 rotary dimensions, nothing a power of two.</summary>
    public static HuggingFaceConfig SmallConfig { get; } = new()
    {
        HiddenSize = 18,
        HeadCount = 3,
        LayerCount = 2,
        IntermediateSize = 20,
        MaximumPositions = 64,
        VocabularySize = 69,
        HiddenActivation = "gelu_fast",
        RotaryFraction = 0.34,
    };

    public static float[] SeededParameters(HuggingFaceConfig config, ulong seed = 5)
    {
        var parameters = new float[GptNeoXStateDict.ParameterCount(config)];
        ParameterInitialization.Fill(config with { InitializerRange = 0.3 }, seed, 0, parameters);
        // Biases and norms away from 0 and 1, so that a model which leaves them out is caught.
        for (int i = 0; i < parameters.Length; i++) parameters[i] += 0.05f * ((i * 7919 % 101 / 50f) - 1f);
        return parameters;
    }
}
