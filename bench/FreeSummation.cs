using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>
/// What one would do without the promise of equal bits: each device adds all its micro-batches, in whatever order their shards
/// come, into one gradient and pushes that; the partition adds what arrives, as it arrives, into one sum. Model, batches,
/// blocks and optimizer are those of the product.
/// </summary>
internal sealed class FreeSummation : ISummationPath
{
    private const ulong OrderSeed = 7;

    private readonly RunPlan _plan;
    private readonly ImmutableArray<ShardRange> _shares;
    private readonly Device[] _devices;
    private readonly FreePartition _partition;

    private FreeSummation(RunPlan plan, ImmutableArray<ShardRange> shares, Device[] devices) =>
        (_plan, _shares, _devices, _partition) = (plan, shares, devices, new FreePartition(plan));

    public string Name => "free order";

    // That is what the way is.
    public int DeviceBuffers => 1;

    // The sum, and what has just arrived.
    public int PartitionBuffers => _devices.Length == 1 ? 1 : 2;

    /// <inheritdoc cref="TreeSummation.CreateAsync"/>
    public static async Task<FreeSummation> CreateAsync(RunPlan plan, TokenStore store, ImmutableArray<ShardRange> shares) =>
        new(plan, shares, await Task.WhenAll(shares.Select(_ => Device.CreateAsync(plan, store))));

    public async Task<SummedStep> StepAsync(long step)
    {
        var totals = await Task.WhenAll(_devices.Select((device, i) => Task.Run(() => AccumulateAsync(device, _shares[i], step))));
        var norms = await Task.Run(_partition.SquaredNorms);
        var (factor, result) = SummedSteps.Judge(_plan, [.. totals.SelectMany(shards => shards)], norms);
        await Task.Run(() => _partition.Apply(step, factor));
        return result;
    }

    private async Task<List<ShardTotals>> AccumulateAsync(Device device, ShardRange shards, long step)
    {
        await SummedSteps.EachBlockAsync(_plan, async index =>
        {
            using var block = _partition.Copy(index);
            await device.WriteAsync(block);
        });
        var position = _plan.Windows.Locate(step);
        var sum = await device.RentAsync();
        var totals = new List<ShardTotals>();
        foreach (int shard in InSomeOrder(shards, step)) totals.Add(await device.AccumulateAsync(shard, position, sum));
        await SummedSteps.EachBlockAsync(_plan, async index =>
        {
            var buffer = (await device.ReadAsync(sum, index)).Detach();
            await Task.Run(() => _partition.Contribute(index, buffer));
        });
        await device.ReturnAsync(sum);
        return totals;
    }

    // Another one each step, as where whoever is done first comes first.
    private static IEnumerable<int> InSomeOrder(ShardRange shards, long step) =>
        Enumerable.Range(shards.First, shards.Count).OrderBy(shard => CounterRandom.UInt64(OrderSeed, RandomPurpose.Shuffle, (ulong)step, (ulong)shard));

    public Task ReadAsync(int block, long version, Memory<float> values)
    {
        using var copy = _partition.Copy(block);
        copy.Memory.CopyTo(values);
        return Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var device in _devices) await device.DisposeAsync();
    }

    /// <summary>As the product's <see cref="RunReplica"/>, but that all shards go into the gradient it is given.</summary>
    private sealed class Device(RunPlan plan, TokenStore store, DeviceThread thread, Replica replica) : IAsyncDisposable
    {
        private readonly RunBatches _batches = new(plan, store);

        public static async Task<Device> CreateAsync(RunPlan plan, TokenStore store)
        {
            var thread = new DeviceThread("cpu", TimeProvider.System);
            return new Device(plan, store, thread, await thread.RunAsync(plan.Spec.Threads, () => new Replica(plan.Config, "cpu", ComputePrecision.Fp32, PadTokens.Ignore)));
        }

        public Task WriteAsync(Block block) => OnThreadAsync(() => replica.WriteParameters(ParameterLayout.BlockOffset(block.Index), block.Values));

        public Task<GradientBuffer> RentAsync() => thread.RunAsync(plan.Spec.Threads, replica.RentGradient);

        public Task ReturnAsync(GradientBuffer gradient) => OnThreadAsync(() => replica.Return(gradient));

        public async Task<Block> ReadAsync(GradientBuffer gradient, int index)
        {
            var block = Block.Rent(index, plan.Layout.BlockSize(index));
            await OnThreadAsync(() => gradient.Read(ParameterLayout.BlockOffset(index), block.Values));
            return block;
        }

        public Task<ShardTotals> AccumulateAsync(int shard, StepPosition position, GradientBuffer sum) =>
            thread.RunAsync(plan.Spec.Threads, () => Accumulate(shard, position, sum));

        private ShardTotals Accumulate(int shard, StepPosition position, GradientBuffer sum)
        {
            var range = plan.Windows.MicroBatches(shard, position.Window);
            var totals = new ShardTotals(shard, 0, 0, 0, 0, 0, 0);
            // The ledger has nothing to do with the order of sums: both ways keep it.
            using var digest = new WindowDigest();
            for (int index = range.First; index < range.First + range.Count; index++)
            {
                var batch = _batches.Training(shard, position.Epoch, index);
                long targets = CausalLoss.CountTargets(batch, PadTokens.Ignore);
                digest.Append(batch.Records);
                var loss = replica.Accumulate(batch, GradientScale.MicroBatchFactor(plan.Scaling, targets, plan.Spec.AccumulationSteps), sum);
                totals = totals with
                {
                    LossSum = totals.LossSum + loss.LossSum,
                    LossTokens = totals.LossTokens + loss.LossTokens,
                    MicroBatches = totals.MicroBatches + 1,
                    RealTokens = totals.RealTokens + batch.RealTokens,
                };
            }

            return totals with { RecordsDigest = digest.Finish() };
        }

        private Task OnThreadAsync(Action work) => thread.RunAsync(plan.Spec.Threads, work);

        public async ValueTask DisposeAsync()
        {
            await OnThreadAsync(replica.Dispose);
            thread.Dispose();
        }
    }
}
