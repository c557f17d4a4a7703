using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Model.Tests;

/// <summary>
/// GPT-NeoX once more, written down plainly in double precision with loops: what the fast one is compared with on any
/// machine. One record at a time, full attention over the real tokens before.
/// </summary>
internal sealed class DoublePrecisionModel(HuggingFaceConfig config, float[] parameters)
{
    private readonly Dictionary<string, double[]> _tensors = Split(config, parameters);

    /// <summary>Changes one parameter of the flat vector by <paramref name="difference"/>.</summary>
    public DoublePrecisionModel With(int place, double difference)
    {
        var model = new DoublePrecisionModel(config, parameters);
        foreach (var tensor in GptNeoXStateDict.Describe(config))
        {
            if (place < tensor.ElementCount)
            {
                model._tensors[tensor.Name][place] += difference;
                break;
            }

            place -= (int)tensor.ElementCount;
        }

        return model;
    }

    /// <summary>Summed cross-entropy of each token from those before it.</summary>
    public double LossSum(int[] ids)
    {
        var logits = Logits(ids).Logits;
        double sum = 0;
        for (int t = 0; t + 1 < ids.Length; t++)
        {
            double top = logits[t].Max();
            sum += top + Math.Log(logits[t].Sum(score => Math.Exp(score - top))) - logits[t][ids[t + 1]];
        }

        return sum;
    }

    /// <summary>Hidden states after the final norm, and logits, a row a token.</summary>
    public (double[][] Hidden, double[][] Logits) Logits(int[] ids)
    {
        var embedding = _tensors["gpt_neox.embed_in.weight"];
        var x = ids.Select(id => embedding.AsSpan(id * config.HiddenSize, config.HiddenSize).ToArray()).ToArray();
        for (int layer = 0; layer < config.LayerCount; layer++)
        {
            var prefix = $"gpt_neox.layers.{layer}.";
            var attended = Attend(x.Select(row => Norm(row, prefix + "input_layernorm")).ToArray(), prefix + "attention.");
            x = [.. x.Zip(attended, (row, attention) =>
            {
                var inner = Linear(Norm(row, prefix + "post_attention_layernorm"), prefix + "mlp.dense_h_to_4h").Select(Gelu).ToArray();
                var mixed = Linear(inner, prefix + "mlp.dense_4h_to_h");
                return row.Select((value, i) => value + attention[i] + mixed[i]).ToArray();
            })];
        }

        var hidden = x.Select(row => Norm(row, "gpt_neox.final_layer_norm")).ToArray();
        return (hidden, [.. hidden.Select(row => Linear(row, "embed_out"))]);
    }

    private double[][] Attend(double[][] x, string prefix)
    {
        int heads = config.HeadCount, size = config.HiddenSize / heads, rotary = (int)(size * config.RotaryFraction);
        var fused = x.Select(row => Linear(row, prefix + "query_key_value")).ToArray();
        var joined = x.Select(_ => new double[config.HiddenSize]).ToArray();
        for (int head = 0; head < heads; head++)
        {
            double[] Part(int token, int part) => fused[token].AsSpan(((head * 3) + part) * size, size).ToArray();
            var query = x.Select((_, t) => Turn(Part(t, 0), t, rotary)).ToArray();
            var key = x.Select((_, t) => Turn(Part(t, 1), t, rotary)).ToArray();
            for (int t = 0; t < x.Length; t++)
            {
                var scores = Enumerable.Range(0, t + 1).Select(u => query[t].Zip(key[u], (a, b) => a * b).Sum() / Math.Sqrt(size)).ToArray();
                double top = scores.Max(), total = scores.Sum(score => Math.Exp(score - top));
                for (int u = 0; u <= t; u++)
                {
                    var value = Part(u, 2);
                    for (int i = 0; i < size; i++) joined[t][(head * size) + i] += Math.Exp(scores[u] - top) / total * value[i];
                }
            }
        }

        return [.. joined.Select(row => Linear(row, prefix + "dense"))];
    }

    private double[] Turn(double[] head, int position, int rotary)
    {
        var turned = head.ToArray();
        for (int i = 0; i < rotary / 2; i++)
        {
            double angle = position / Math.Pow(config.RotaryBase, 2.0 * i / rotary);
            double x = head[i], y = head[i + (rotary / 2)];
            turned[i] = (x * Math.Cos(angle)) - (y * Math.Sin(angle));
            turned[i + (rotary / 2)] = (y * Math.Cos(angle)) + (x * Math.Sin(angle));
        }

        return turned;
    }

    private double[] Linear(double[] x, string name)
    {
        var weight = _tensors[name + ".weight"];
        var bias = _tensors.GetValueOrDefault(name + ".bias");
        var y = new double[weight.Length / x.Length];
        for (int row = 0; row < y.Length; row++)
        {
            y[row] = bias?[row] ?? 0;
            for (int i = 0; i < x.Length; i++) y[row] += weight[(row * x.Length) + i] * x[i];
        }

        return y;
    }

    private double[] Norm(double[] x, string name)
    {
        double mean = x.Average(), variance = x.Sum(value => (value - mean) * (value - mean)) / x.Length;
        return [.. x.Select((value, i) => ((value - mean) / Math.Sqrt(variance + config.LayerNormEpsilon) * _tensors[name + ".weight"][i]) + _tensors[name + ".bias"][i])];
    }

    private static double Gelu(double x) => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x))));

    private static Dictionary<string, double[]> Split(HuggingFaceConfig config, float[] parameters)
    {
        var tensors = new Dictionary<string, double[]>(StringComparer.Ordinal);
        int offset = 0;
        foreach (var tensor in GptNeoXStateDict.Describe(config))
        {
            tensors[tensor.Name] = [.. parameters.AsSpan(offset, (int)tensor.ElementCount).ToArray().Select(value => (double)value)];
            offset += (int)tensor.ElementCount;
        }

        return tensors;
    }
}
