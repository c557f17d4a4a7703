using System.Text.Json;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Testing;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Model.Tests;

/// <summary>Training step by step as PyTorch did it, from the same weights in the same order.</summary>
public sealed class TrajectoryTests
{
    [Theory]
    [InlineData("a", "trajectory-script")]
    [InlineData("a", "trajectory-script-padded")]
    [InlineData("a", "trajectory-tokens")]
    [InlineData("b", "trajectory-script")]
    [InlineData("b", "trajectory-script-padded")]
    [InlineData("b", "trajectory-tokens")]
    public void Six_steps_follow_the_reference(string set, string name)
    {
        using var trajectory = Read(set, name);
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", set, "config.json"));
        using var tokens = JsonDocument.Parse(File.ReadAllText(SharedFolder.File("reference", set, "tokens.json")));
        var records = tokens.RootElement.GetProperty("ids").Deserialize<int[][]>()!;
        using var trainer = Trainer.Create(config, SharedFolder.File("reference", set, "weights.safetensors"), trajectory.RootElement);
        foreach (var step in trajectory.RootElement.GetProperty("steps").EnumerateArray())
        {
            int number = step.GetProperty("step").GetInt32();
            double norm = trainer.Step(records.Chunk(2).ToArray(), step, 5e-5);
            Assert.Equal(step.GetProperty("gradientNorm").GetDouble(), norm, 5e-4 * step.GetProperty("gradientNorm").GetDouble());
            var file = SharedFolder.File("reference", set, $"{name}-after-step-{number}.safetensors");
            if (!File.Exists(file)) continue;
            var differences = trainer.DifferencesFrom(Batches.ReadVector(config, file), keyBias: false);
            Assert.True(differences.Average() <= 3e-7, $"after step {number} parameters are off by {differences.Average():E2} on average");
            Assert.True(Quantile(differences, 0.999) <= 3e-5, $"after step {number} the 99.9th percentile is {Quantile(differences, 0.999):E2}");
            Assert.True(differences.Max() <= 1e-3, $"after step {number} a parameter is off by {differences.Max():E2}");
        }
    }

    [Theory]
    [InlineData("trajectory-script", 1e-5, 2e-5, 5e-7)]
    [InlineData("trajectory-fast", 1e-3, 2e-4, 1e-6)]
    public void Twelve_steps_follow_the_published_reference(string name, double learningRate, double maximum, double percentile)
    {
        using var trajectory = Read("published", name);
        var config = HuggingFaceConfig.Read(SharedFolder.File("reference", "published", "config.json"));
        var microBatches = JsonSerializer.Deserialize<int[][][]>(File.ReadAllText(SharedFolder.File("reference", "published", "trajectory-records.json")))!;
        using var trainer = Trainer.Create(config, SharedFolder.File("reference", "published", "weights.safetensors"), trajectory.RootElement);
        foreach (var step in trajectory.RootElement.GetProperty("steps").EnumerateArray())
        {
            int number = step.GetProperty("step").GetInt32();
            trainer.Step(microBatches, step, 5e-6);
            var expected = Batches.ReadVector(config, SharedFolder.File("reference", "published", $"{name}.safetensors"), $"{number:00}.");
            var differences = trainer.DifferencesFrom(expected, keyBias: false);
            Assert.True(differences.Max() <= maximum, $"after step {number} a parameter is off by {differences.Max():E2}");
            Assert.True(Quantile(differences, 0.999) <= percentile, $"after step {number} the 99.9th percentile is {Quantile(differences, 0.999):E2}");
            Assert.True(trainer.DifferencesFrom(expected, keyBias: true).Max() <= number * learningRate, $"after step {number} the key bias has gone astray");
        }
    }

    private static JsonDocument Read(string set, string name) => JsonDocument.Parse(File.ReadAllText(SharedFolder.File("reference", set, name + ".json")));

    private static double Quantile(double[] values, double share) => values.Order().ElementAt((int)(share * (values.Length - 1)));

    /// <summary>Windows, scaling and Adam as the cluster applies them, on one shard.</summary>
    private sealed class Trainer(HuggingFaceConfig config, Replica replica, float[] parameters, JsonElement settings) : IDisposable
    {
        private readonly float[] _first = new float[parameters.Length];
        private readonly float[] _second = new float[parameters.Length];
        private readonly PadTokens _padTokens = settings.GetProperty("padTokens").GetString() == "count" ? PadTokens.Count : PadTokens.Ignore;
        private readonly GradientScaling _scaling = settings.GetProperty("gradientScaling").GetString() == "tokens" ? GradientScaling.Tokens : GradientScaling.AccumulationSteps;
        private readonly int _accumulationSteps = settings.GetProperty("accumulationSteps").GetInt32();

        public static Trainer Create(HuggingFaceConfig config, string weights, JsonElement settings)
        {
            var padTokens = settings.GetProperty("padTokens").GetString() == "count" ? PadTokens.Count : PadTokens.Ignore;
            var parameters = Batches.ReadVector(config, weights);
            return new Trainer(config, new Replica(config, TestDevice.Name, ComputePrecision.Fp32, padTokens), parameters, settings);
        }

        /// <summary>One optimizer step; returns the gradient's norm and checks the micro-batches' losses.</summary>
        public double Step(int[][][] microBatches, JsonElement step, double lossTolerance)
        {
            int number = step.GetProperty("step").GetInt32();
            var plan = new WindowPlan([microBatches.Sum(batch => batch.Length)], 2, _accumulationSteps);
            var range = plan.MicroBatches(0, plan.Locate(number).Window);
            int? columns = settings.GetProperty("padToLength") is { ValueKind: JsonValueKind.Number } length ? length.GetInt32() : null;
            replica.WriteParameters(0, parameters);
            var gradient = replica.RentGradient();
            var totals = default(WindowTotals);
            for (int i = 0; i < range.Count; i++)
            {
                var batch = Batches.Pad([.. microBatches[range.First + i].Select(record => record[..Math.Min(record.Length, columns ?? record.Length)])], columns);
                long targets = CausalLoss.CountTargets(batch, _padTokens);
                var loss = replica.Accumulate(batch, GradientScale.MicroBatchFactor(_scaling, targets, _accumulationSteps), gradient);
                Assert.Equal(step.GetProperty("microBatchLosses")[i].GetDouble(), loss.LossSum / loss.LossTokens, lossTolerance);
                totals = new WindowTotals(totals.LossSum + loss.LossSum, 0, totals.LossTokens + targets, totals.MicroBatches + 1, 1);
            }

            var values = new float[parameters.Length];
            gradient.Read(0, values);
            replica.Return(gradient);
            double factor = GradientScale.WindowFactor(_scaling, totals, 1);
            double learningRate = settings.GetProperty("learningRate").GetDouble();
            FusedAdam.Apply(parameters, _first, _second, values, AdamStep.Create(new AdamOptions(), number, learningRate, factor));
            return GradientClip.GlobalNorm([BlockArithmetic.SquaredNorm(values)], factor);
        }

        /// <summary>Absolute differences, of the key bias alone or of all others: its gradient is rounding noise (see the reference's README).</summary>
        public double[] DifferencesFrom(float[] expected, bool keyBias)
        {
            int headSize = config.HiddenSize / config.HeadCount, offset = 0;
            var differences = new List<double>();
            foreach (var tensor in GptNeoXStateDict.Describe(config))
            {
                bool fused = tensor.Name.EndsWith("query_key_value.bias", StringComparison.Ordinal);
                for (int i = 0; i < tensor.ElementCount; i++, offset++)
                {
                    bool key = fused && i % (3 * headSize) / headSize == 1;
                    if (key == keyBias) differences.Add(Math.Abs(expected[offset] - parameters[offset]));
                }
            }

            return [.. differences];
        }

        public void Dispose() => replica.Dispose();
    }
}
