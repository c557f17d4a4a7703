using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Model;
using GenSlmOrleans.Testing;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A window of every shard, added up along the tree, is one big batch.</summary>
public sealed class AccumulationTests
{
    private const int AccumulationSteps = 3;

    /// <summary>Micro-batches an epoch of 1, N - 1, N, N + 1, and shards shorter than a window or of unequal lengths.</summary>
    [Theory]
    [InlineData(2, 1)]
    [InlineData(4, 1)]
    [InlineData(6, 1)]
    [InlineData(7, 1)]
    [InlineData(8, 1)]
    [InlineData(3, 3)]
    [InlineData(11, 3)]
    [InlineData(19, 5)]
    public async Task Every_window_of_an_epoch_equals_one_big_batch_under_tokens(int records, int shards)
    {
        using var folder = new TemporaryFolder();
        using var store = TokenStoreBuilder.OpenOrBuild(folder.File("data.fasta", Encoding.ASCII.GetBytes(Fasta(records))), folder.File("cache"));
        var spec = new RunSpec { Data = "data.fasta", Shards = shards, AccumulationSteps = AccumulationSteps, ValFraction = 0 };
        var plan = new RunPlan(spec, ModelPresets.Find("tiny")! with { InitializerRange = 0.2 }, store.Sets);
        using var device = new ComputeDevice("cpu", TimeProvider.System);
        await using var replica = await RunReplica.CreateAsync("run", "silo", device, plan, store);
        var parameters = Block.Rent(0, plan.Layout.BlockSize(0));
        ParameterInitialization.Fill(plan.Config, 3, 0, parameters.Values);
        await replica.WriteAsync(parameters, 0);

        var seen = new List<int>();
        for (long step = 1; step <= plan.Windows.StepsPerEpoch; step++)
        {
            var window = await WindowAsync(replica, plan, plan.Windows.Locate(step));
            var inWindow = RecordsOf(plan, plan.Windows.Locate(step));
            seen.AddRange(inWindow);
            var big = BigBatch(plan, store, parameters, [.. inWindow]);
            double largest = big.Max(Math.Abs);
            for (int i = 0; i < big.Length; i++)
                Assert.True(Math.Abs(big[i] - window[i]) <= 1e-5 * largest, $"step {step}, parameter {i}: {window[i]:R}, one batch gives {big[i]:R}");
        }

        Assert.Equal(Enumerable.Range(0, records), seen.Order());
    }

    private static async Task<double[]> WindowAsync(RunReplica replica, RunPlan plan, StepPosition position)
    {
        var sums = new ReductionAccumulator<GradientBuffer>(plan.Tree, replica.Merge);
        var totals = new List<WindowTotals>();
        for (int shard = 0; shard < plan.Spec.Shards; shard++)
        {
            var (shardTotals, gradient) = await replica.AccumulateAsync(shard, position);
            sums.Add(new TreeNode(0, shard), gradient);
            totals.Add(new WindowTotals(shardTotals.LossSum, shardTotals.MeanLossSum, shardTotals.LossTokens, shardTotals.MicroBatches, 1));
        }

        var root = sums.TakeRoot();
        using var block = await replica.ReadAsync(root, 0);
        root.Return();
        double factor = GradientScale.WindowFactor(GradientScaling.Tokens, WindowTotals.SumInShardOrder(totals.ToArray()), plan.Spec.Shards);
        return [.. block.Values.ToArray().Select(value => value * factor)];
    }

    private static IEnumerable<int> RecordsOf(RunPlan plan, StepPosition position)
    {
        for (int shard = 0; shard < plan.Spec.Shards; shard++)
        {
            var order = plan.Order.Epoch(shard, position.Epoch);
            var range = plan.Windows.MicroBatches(shard, position.Window);
            for (int index = range.First; index < range.First + range.Count; index++)
            {
                var records = plan.Windows.Records(shard, index);
                foreach (int record in order.AsSpan(records.First, records.Count).ToArray()) yield return record;
            }
        }
    }

    private static double[] BigBatch(RunPlan plan, TokenStore store, Block parameters, int[] records)
    {
        using var replica = new Replica(plan.Config, "cpu", ComputePrecision.Fp32, PadTokens.Ignore);
        replica.WriteParameters(0, parameters.Values);
        var batch = MicroBatch.Assemble(store, records, plan.SequenceLimit, PaddingMode.Longest);
        var gradient = replica.RentGradient();
        replica.Accumulate(batch, 1f / CausalLoss.CountTargets(batch, PadTokens.Ignore), gradient);
        var values = new float[replica.ParameterCount];
        gradient.Read(0, values);
        gradient.Dispose();
        return [.. values.Select(value => (double)value)];
    }

    private static string Fasta(int records) => string.Concat(Enumerable.Range(0, records).Select(record =>
        $">r{record}\n{string.Concat(Enumerable.Range(0, 3 * (5 + (record * 7 % 13))).Select(i => "ACGT"[((i * i) + (record * 3)) % 7 % 4]))}\n"));
}
