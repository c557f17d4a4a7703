using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>A run's copy of the model on one device, with the run's data. All shards placed on the device take turns on it.</summary>
internal sealed class RunReplica : IAsyncDisposable
{
    private readonly ComputeDevice _device;
    private readonly Replica _replica;
    private readonly RunBatches _batches;
    private readonly long[] _blockVersions;
    private readonly CancellationTokenSource _released = new();
    private long _microBatchesDone;

    private RunReplica(string runId, ComputeDevice device, Replica replica, RunPlan plan, TokenStore store)
    {
        RunId = runId;
        _device = device;
        _replica = replica;
        Plan = plan;
        _batches = new RunBatches(plan, store);
        _blockVersions = new long[plan.Layout.BlockCount];
        Array.Fill(_blockVersions, -1);
    }

    public string RunId { get; }

    public RunPlan Plan { get; }

    public string DeviceName => _device.Name;

    /// <summary>How long the device has been at the work at hand, whichever run's it is.</summary>
    public double BusySeconds => _device.Thread.BusyFor.TotalSeconds;

    public long MicroBatchesDone => Interlocked.Read(ref _microBatchesDone);

    public static async Task<RunReplica> CreateAsync(string runId, ComputeDevice device, RunPlan plan, TokenStore store)
    {
        var precision = plan.Spec.Precision == Precision.Bf16 ? ComputePrecision.Bf16 : ComputePrecision.Fp32;
        var replica = await device.Thread.RunAsync(plan.Spec.Threads, () => new Replica(plan.Config, device.Name, precision, PadTokensOf(plan.Spec)));
        return new RunReplica(runId, device, replica, plan, store);
    }

    /// <summary>Blocks whose parameters are not those after <paramref name="version"/> steps.</summary>
    public IEnumerable<int> BlocksOlderThan(long version) =>
        Enumerable.Range(0, _blockVersions.Length).Where(block => _blockVersions[block] != version);

    /// <summary>Overwrites a block's parameters with those of <paramref name="version"/>.</summary>
    public async Task WriteAsync(Block block, long version)
    {
        _blockVersions[block.Index] = -1;
        await OnDeviceAsync(() => _replica.WriteParameters(ParameterLayout.BlockOffset(block.Index), block.Values));
        _blockVersions[block.Index] = version;
    }

    /// <summary>Forward and backward of a shard's whole window, in micro-batch order.</summary>
    public Task<(ShardTotals Totals, GradientBuffer Gradient)> AccumulateAsync(int shard, StepPosition position) =>
        _device.Thread.RunAsync(Plan.Spec.Threads, () => Accumulate(shard, position), _released.Token);

    /// <summary>The first record of a window, in order, whose own gradient or loss is not finite; null when there is none.</summary>
    public Task<NonFiniteRecord?> FindNonFiniteAsync(ShardRange shards, StepPosition position) =>
        _device.Thread.RunAsync(Plan.Spec.Threads, () => FindNonFinite(shards, position), _released.Token);

    /// <summary>Summed loss and counted tokens of batches of the validation or the test set.</summary>
    public Task<MicroBatchLoss[]> EvaluateAsync(EvaluationSet set, int firstBatch, int endBatch) => _device.Thread.RunAsync(
        Plan.Spec.Threads,
        () =>
        {
            var losses = new MicroBatchLoss[endBatch - firstBatch];
            for (int batch = firstBatch; batch < endBatch; batch++)
            {
                _released.Token.ThrowIfCancellationRequested();
                losses[batch - firstBatch] = _replica.Evaluate(_batches.Evaluation(set, batch));
            }

            return losses;
        },
        _released.Token);

    /// <summary>Adds <paramref name="right"/> into <paramref name="left"/> and takes <paramref name="right"/> back.</summary>
    public GradientBuffer Merge(GradientBuffer left, GradientBuffer right)
    {
        left.Add(right);
        _replica.Return(right);
        return left;
    }

    /// <summary>Takes a gradient back, unless the replica is gone and the gradient with it.</summary>
    public async Task TakeBackAsync(GradientBuffer gradient)
    {
        if (!_released.IsCancellationRequested) await OnDeviceAsync(() => _replica.Return(gradient));
    }

    /// <summary>A block of a gradient, copied to the host.</summary>
    public async Task<Block> ReadAsync(GradientBuffer gradient, int index)
    {
        var block = Block.Rent(index, Plan.Layout.BlockSize(index));
        await OnDeviceAsync(() => gradient.Read(ParameterLayout.BlockOffset(index), block.Values));
        return block;
    }

    public Task OnDeviceAsync(Action work) => _device.Thread.RunAsync(Plan.Spec.Threads, work, _released.Token);

    private (ShardTotals Totals, GradientBuffer Gradient) Accumulate(int shard, StepPosition position)
    {
        var gradient = _replica.RentGradient();
        var range = Plan.Windows.MicroBatches(shard, position.Window);
        var totals = new ShardTotals(shard, 0, 0, 0, 0, 0, 0);
        using var digest = new WindowDigest();
        for (int index = range.First; index < range.First + range.Count; index++)
        {
            _released.Token.ThrowIfCancellationRequested();
            var batch = _batches.Training(shard, position.Epoch, index);
            long targets = CausalLoss.CountTargets(batch, PadTokensOf(Plan.Spec));
            float factor = GradientScale.MicroBatchFactor(Plan.Scaling, targets, Plan.Spec.AccumulationSteps);
            var loss = _replica.Accumulate(batch, factor, gradient);
            digest.Append(batch.Records);
            totals = totals with
            {
                LossSum = totals.LossSum + loss.LossSum,
                MeanLossSum = totals.MeanLossSum + (loss.LossTokens == 0 ? 0 : loss.LossSum / loss.LossTokens),
                LossTokens = totals.LossTokens + loss.LossTokens,
                MicroBatches = totals.MicroBatches + 1,
                RealTokens = totals.RealTokens + batch.RealTokens,
                PaddingTokens = totals.PaddingTokens + batch.PaddingTokens,
            };
            Interlocked.Increment(ref _microBatchesDone);
        }

        return (totals with { RecordsDigest = digest.Finish() }, gradient);
    }

    private NonFiniteRecord? FindNonFinite(ShardRange shards, StepPosition position)
    {
        for (int shard = shards.First; shard < shards.End; shard++)
        {
            var range = Plan.Windows.MicroBatches(shard, position.Window);
            for (int index = range.First; index < range.First + range.Count; index++)
            {
                foreach (int record in _batches.TrainingRecords(shard, position.Epoch, index))
                {
                    _released.Token.ThrowIfCancellationRequested();
                    var gradient = _replica.RentGradient();
                    bool finite = double.IsFinite(_replica.Accumulate(_batches.Single(record), 1, gradient).LossSum) && IsFinite(gradient);
                    _replica.Return(gradient);
                    if (!finite) return new NonFiniteRecord(shard, record);
                }
            }
        }

        return null;
    }

    private bool IsFinite(GradientBuffer gradient)
    {
        var buffer = new float[ParameterLayout.BlockLength];
        for (int block = 0; block < Plan.Layout.BlockCount; block++)
        {
            var values = buffer.AsSpan(0, Plan.Layout.BlockSize(block));
            gradient.Read(ParameterLayout.BlockOffset(block), values);
            if (BlockArithmetic.IndexOfNonFinite(values) >= 0) return false;
        }

        return true;
    }

    private static PadTokens PadTokensOf(RunSpec spec) => spec.PadTokens == PadCounting.Count ? PadTokens.Count : PadTokens.Ignore;

    /// <summary>Ends the work at hand after its micro-batch and disposes every tensor, on the device's own thread.</summary>
    public async ValueTask DisposeAsync()
    {
        await _released.CancelAsync();
        await _device.Thread.RunAsync(Plan.Spec.Threads, _replica.Dispose, CancellationToken.None);
        _released.Dispose();
    }
}
