using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Training.Tests;

/// <summary>The model w·x with half the squared error a token, whose gradient is known; records are lists of tokens (x, y).</summary>
public sealed class GradientScalingTests
{
    private const double Weight = 0.7;
    private const int AccumulationSteps = 3;
    private const int BatchSize = 2;

    // Shard 0 fills its second window to a third; shard 1 has run out by then; lengths differ, and one record has no token.
    private static readonly int[][] Lengths = [[5, 1, 9, 2, 2, 2, 30], [0, 0, 7, 3]];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Scaling_by_tokens_is_one_big_batch(int window)
    {
        var tokens = Window(window).SelectMany(shard => shard).SelectMany(batch => batch).ToArray();
        var (gradient, loss) = AsTrained(GradientScaling.Tokens, window);
        AssertClose(tokens.Average(Gradient), gradient);
        Assert.Equal(tokens.Average(Loss), loss, 1e-9);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Scaling_by_micro_batches_is_the_mean_of_their_means(int window)
    {
        var batches = Window(window).SelectMany(shard => shard).ToArray();
        var (gradient, loss) = AsTrained(GradientScaling.MicroBatches, window);
        AssertClose(batches.Average(batch => Mean(batch, Gradient)), gradient);
        Assert.Equal(batches.Average(batch => Mean(batch, Loss)), loss, 1e-9);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Scaling_by_accumulation_steps_divides_short_windows_by_as_many(int window)
    {
        var (gradient, _) = AsTrained(GradientScaling.AccumulationSteps, window);
        AssertClose(Window(window).Average(shard => shard.Sum(batch => Mean(batch, Gradient)) / AccumulationSteps), gradient);
    }

    [Fact]
    public void The_three_scalings_differ_on_this_data()
    {
        var gradients = Enum.GetValues<GradientScaling>().Select(mode => Math.Round(AsTrained(mode, 0).Gradient, 4));
        Assert.Equal(3, gradients.Distinct().Count());
    }

    [Theory]
    [InlineData(GradientScaling.Tokens)]
    [InlineData(GradientScaling.MicroBatches)]
    [InlineData(GradientScaling.AccumulationSteps)]
    public void Nothing_to_count_gives_nought(GradientScaling mode)
    {
        Assert.Equal(0f, GradientScale.MicroBatchFactor(mode, 0, AccumulationSteps));
        var nothing = WindowTotals.SumInShardOrder([]);
        Assert.Equal(0, GradientScale.ReportedLoss(mode, nothing));
        Assert.True(double.IsFinite(GradientScale.WindowFactor(mode, nothing, 2)));
    }

    // The factor on a micro-batch is single precision.
    private static void AssertClose(double expected, double found) => Assert.Equal(expected, found, 1e-6 * Math.Abs(expected));

    /// <summary>Shard by shard and micro-batch by micro-batch, as devices and partitions do it.</summary>
    private static (double Gradient, double Loss) AsTrained(GradientScaling mode, int window)
    {
        var shards = Window(window);
        var sum = new ReductionAccumulator<double>(new ReductionTree(shards.Length), (left, right) => left + right);
        var totals = new WindowTotals[shards.Length];
        for (int shard = 0; shard < shards.Length; shard++)
        {
            double gradient = 0;
            foreach (var batch in shards[shard])
            {
                gradient += batch.Sum(Gradient) * GradientScale.MicroBatchFactor(mode, batch.Length, AccumulationSteps);
                totals[shard] = WindowTotals.SumInShardOrder([totals[shard], new WindowTotals(batch.Sum(Loss), Mean(batch, Loss), batch.Length, 1, 0)]);
            }

            totals[shard] = totals[shard] with { Shards = 1 };
            sum.Add(new TreeNode(0, shard), gradient);
        }

        var all = WindowTotals.SumInShardOrder(totals);
        Assert.Equal((shards.Length, shards.Sum(shard => shard.Count)), (all.Shards, all.MicroBatches));
        return (sum.TakeRoot() * GradientScale.WindowFactor(mode, all, shards.Length), GradientScale.ReportedLoss(mode, all));
    }

    /// <summary>A window's micro-batches, shard by shard.</summary>
    private static List<(double X, double Y)[]>[] Window(int window)
    {
        var plan = new WindowPlan([.. Lengths.Select(shard => shard.Length)], BatchSize, AccumulationSteps);
        return [.. Lengths.Select((records, shard) =>
        {
            var batches = plan.MicroBatches(shard, window);
            return Enumerable.Range(batches.First, batches.Count).Select(batch =>
            {
                var range = plan.Records(shard, batch);
                return Enumerable.Range(range.First, range.Count).SelectMany(record => Record(shard, record, records[record])).ToArray();
            }).ToList();
        })];
    }

    private static IEnumerable<(double X, double Y)> Record(int shard, int record, int length)
    {
        var values = new Numbers((ulong)((shard * 100) + record)).Floats(2 * length);
        return Enumerable.Range(0, length).Select(i => ((double)values[2 * i] + record, (double)values[(2 * i) + 1]));
    }

    private static double Loss((double X, double Y) token) => 0.5 * Math.Pow((Weight * token.X) - token.Y, 2);

    private static double Gradient((double X, double Y) token) => ((Weight * token.X) - token.Y) * token.X;

    private static double Mean((double X, double Y)[] batch, Func<(double X, double Y), double> value) => batch.Length == 0 ? 0 : batch.Average(value);
}
