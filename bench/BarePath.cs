using GenSlmOrleans.Genomics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>The same model on the same batches with nothing around it: no grains, messages, blocks or checkpoints.</summary>
internal static class BarePath
{
    public static async Task<StepTime[]> RunAsync(Workload workload, string cacheFolder)
    {
        using var store = TokenStoreBuilder.OpenOrBuild(workload.Fasta, cacheFolder);
        using var thread = new DeviceThread("cpu", TimeProvider.System);
        return await thread.RunAsync(workload.Threads, () => Train(workload, store));
    }

    private static StepTime[] Train(Workload workload, TokenStore store)
    {
        var config = workload.Model;
        var records = new SamplingOrder(DataSplit.Create(store.RecordCount, 0, Workload.Seed).Training, shardCount: 1, Workload.Seed, shuffle: false).Epoch(shard: 0, epoch: 0);
        var windows = new WindowPlan([records.Length], Workload.BatchSize, workload.AccumulationSteps);
        using var replica = new Replica(config, "cpu", ComputePrecision.Fp32, PadTokens.Ignore);
        float[] parameters = new float[replica.ParameterCount], first = new float[parameters.Length], second = new float[parameters.Length], gradient = new float[parameters.Length];
        ParameterInitialization.Fill(config, Workload.Seed, 0, parameters);
        replica.WriteParameters(0, parameters);
        var times = new StepTime[workload.Steps];
        for (int step = 1; step <= times.Length; step++)
        {
            long tokens = 0;
            double seconds = Measurement.Seconds(() =>
            {
                var totals = Accumulate(step);
                var adam = AdamStep.Create(new AdamOptions(), step, Workload.LearningRate, GradientScale.WindowFactor(GradientScaling.Tokens, totals, shardCount: 1));
                FusedAdam.Apply(parameters, first, second, gradient, adam);
                replica.WriteParameters(0, parameters);
            });
            times[step - 1] = new StepTime(tokens, seconds);

            WindowTotals Accumulate(int number)
            {
                long lossTokens = 0;
                var sum = replica.RentGradient();
                var position = windows.Locate(number);
                var range = windows.MicroBatches(shard: 0, position.Window);
                for (int index = range.First; index < range.First + range.Count; index++)
                {
                    var places = windows.Records(shard: 0, index);
                    var batch = MicroBatch.Assemble(store, records.AsSpan(places.First, places.Count), config.MaximumPositions, PaddingMode.Longest);
                    lossTokens += replica.Accumulate(batch, lossFactor: 1, sum).LossTokens;
                    tokens += batch.RealTokens;
                }

                sum.Read(0, gradient);
                replica.Return(sum);
                return new WindowTotals(0, 0, lossTokens, range.Count, 1);
            }
        }

        return times;
    }
}
