using System.Diagnostics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>A run's copy of the model on one device, with the run's data. All shards placed on the device take turns on it.</summary>
internal sealed class RunReplica : IAsyncDisposable
{
    private readonly ComputeDevice _device;
    private readonly Replica _replica;
    private readonly RunBatches _batches;
    private readonly CancellationTokenSource _released = new();
    private readonly string _origin;
    private long _microBatchesDone;
    private long _microBatchTicks;
    private readonly MicroBatchPace _pace = new();

    private readonly IDisposable? _room;

    private RunReplica(string runId, string silo, ComputeDevice device, Replica replica, RunPlan plan, TokenStore store, IDisposable? room)
    {
        _room = room;
        RunId = runId;
        _origin = $"{silo} {device.Name}";
        _device = device;
        _replica = replica;
        Plan = plan;
        _batches = new RunBatches(plan, store);
        Blocks = new ReplicaBlocks(replica, plan.Layout.BlockCount);
    }

    public string RunId { get; }

    public RunPlan Plan { get; }

    /// <summary>Its parameters, block by block.</summary>
    public ReplicaBlocks Blocks { get; }

    public string DeviceName => _device.Name;

    /// <summary>Silo and device, for people.</summary>
    public string Origin => _origin;

    /// <summary>Whether the device computes nothing any more in this process.</summary>
    public bool IsPoisoned => _device.Poisoned.IsCompleted;

    /// <summary>After an error of the device's: whether it computes nothing any more.</summary>
    public Task<bool> IsPoisonedAsync() => _device.IsPoisonedAsync();

    /// <summary>How long the device has been at the work at hand, whichever run's it is.</summary>
    public double BusySeconds => _device.Thread.BusyFor.TotalSeconds;

    /// <summary>How long the device has been at one micro-batch, or one other piece of work, whichever run's it is.</summary>
    public TimeSpan SilentFor => _device.Thread.SilentFor;

    /// <summary>How long its micro-batches take.</summary>
    public MicroBatchPace Pace => _pace;

    /// <summary>Gradients that are in somebody's hands: none between two windows.</summary>
    public int GradientsOut => _replica.GradientsOut;

    /// <summary>Seconds in forward and backward since it was last asked.</summary>
    public double TakeMicroBatchSeconds() => TimeSpan.FromTicks(Interlocked.Exchange(ref _microBatchTicks, 0)).TotalSeconds;

    public long MicroBatchesDone => Interlocked.Read(ref _microBatchesDone);

    /// <param name="room">The silo's memory that it takes, given back when its tensors are disposed.</param>
    public static async Task<RunReplica> CreateAsync(string runId, string silo, ComputeDevice device, RunPlan plan, TokenStore store, IDisposable? room = null)
    {
        var precision = plan.Spec.Precision == Precision.Bf16 ? ComputePrecision.Bf16 : ComputePrecision.Fp32;
        var replica = await device.RunAsync(plan.Spec.Threads, () => new Replica(plan.Config, device.Name, precision, PadTokensOf(plan.Spec)));
        var made = new RunReplica(runId, silo, device, replica, plan, store, room);
        try
        {
            var first = made._batches.Training(shard: 0, epoch: 0, index: 0);
            made._pace.Begin(TokensOf(ReplicaProof.Head(first)));
            made._pace.Done(await device.ProveAsync(plan.Spec.Threads, replica, made.Origin, first));
            return made;
        }
        catch (UnequalBitsException exception)
        {
            await made.DisposeAsync();
            throw new DeviceUnsoundException(exception.Message);
        }
        catch
        {
            await made.DisposeAsync();
            throw;
        }
    }

    /// <summary>A gradient in host memory; see <see cref="Model.Replica.ToHost"/>.</summary>
    public GradientBuffer ToHost(GradientBuffer gradient) => _replica.ToHost(gradient);

    /// <summary>Overwrites a block's parameters with those of <paramref name="version"/>.</summary>
    public Task WriteAsync(Block block, long version) => OnDeviceAsync(() => Blocks.Write(block, version));

    /// <summary>Whether its gradients are where other threads can read them while it computes.</summary>
    public bool ComputesInHostMemory => _device.Name == "cpu";

    /// <summary>Forward and backward of a shard's whole window, in micro-batch order.</summary>
    /// <exception cref="OperationCanceledException">It was broken off; what it had accumulated is given back.</exception>
    public Task<(ShardTotals Totals, GradientBuffer Gradient)> AccumulateAsync(int shard, StepPosition position, CancellationToken cancellation = default) =>
        AccumulateAsync(shard, position, null, cancellation);

    /// <inheritdoc cref="AccumulateAsync(int, StepPosition, CancellationToken)"/>
    /// <param name="shard">The shard.</param>
    /// <param name="position">The window.</param>
    /// <param name="final">Told on the device's thread, while the last backward goes on, from where on the gradient is final. With the first call the gradient is whoever's it is told.</param>
    /// <param name="cancellation">Breaks it off between two micro-batches.</param>
    public Task<(ShardTotals Totals, GradientBuffer Gradient)> AccumulateAsync(int shard, StepPosition position, Action<GradientBuffer, long>? final, CancellationToken cancellation) =>
        _device.RunAsync(Plan.Spec.Threads, () => Accumulate(shard, position, final, cancellation), _released.Token);

    /// <summary>The first record of a window, in order, whose own gradient or loss is not finite; null when there is none.</summary>
    public Task<NonFiniteRecord?> FindNonFiniteAsync(ShardRange shards, StepPosition position) =>
        _device.RunAsync(Plan.Spec.Threads, () => FindNonFinite(shards, position), _released.Token);

    /// <summary>Summed loss and counted tokens of a batch of the validation or the test set.</summary>
    public Task<MicroBatchLoss> EvaluateAsync(EvaluationSet set, int batch) => _device.RunAsync(Plan.Spec.Threads, () =>
    {
        var evaluated = _batches.Evaluation(set, batch);
        _pace.Begin(TokensOf(evaluated));
        return _replica.Evaluate(evaluated);
    }, _released.Token);

    /// <summary>Whether each sum of gradients is rounded to bf16, a shard's own included.</summary>
    public bool RoundsSums => Plan.Spec.Exchange == Precision.Bf16;

    /// <summary>Adds <paramref name="right"/> into <paramref name="left"/>, rounds the sum as the run has it, and gives <paramref name="right"/> back to its replica.</summary>
    public GradientBuffer Merge(GradientBuffer left, GradientBuffer right)
    {
        left.Add(right);
        right.Return();
        Round(left);
        _device.Thread.Progress();
        return left;
    }

    private void Round(GradientBuffer sum)
    {
        if (!RoundsSums) return;
        for (int block = 0; block < Plan.Layout.BlockCount; block++)
        {
            var (offset, length) = (ParameterLayout.BlockOffset(block), Plan.Layout.BlockSize(block));
            if (sum.IsInHostMemory) Bf16.Round(sum.HostValues(offset, length));
            else sum.RoundToBf16(offset, length);
        }
    }

    /// <summary>A block of a gradient, copied to the host.</summary>
    public async Task<Block> ReadAsync(GradientBuffer gradient, int index)
    {
        var block = Block.Rent(index, Plan.Layout.BlockSize(index));
        await OnDeviceAsync(() => gradient.Read(ParameterLayout.BlockOffset(index), block.Values));
        return block;
    }

    public Task<T> OnDeviceAsync<T>(Func<T> work) => _device.RunAsync(Plan.Spec.Threads, work, _released.Token);

    public Task OnDeviceAsync(Action work) => _device.RunAsync(Plan.Spec.Threads, work, _released.Token);

    private (ShardTotals Totals, GradientBuffer Gradient) Accumulate(int shard, StepPosition position, Action<GradientBuffer, long>? final, CancellationToken cancellation)
    {
        var gradient = _replica.RentGradient();
        bool isHandedOver = false;
        Action<long>? told = final is null ? null : from =>
        {
            isHandedOver = true;
            final(gradient, from);
        };
        try
        {
            var totals = Accumulate(shard, position, gradient, told, cancellation);
            // Whoever was told of its blocks rounds them as they leave.
            if (told is null) Round(gradient);
            return (totals, gradient);
        }
        catch
        {
            if (!isHandedOver) _replica.Return(gradient);
            throw;
        }
    }

    private ShardTotals Accumulate(int shard, StepPosition position, GradientBuffer gradient, Action<long>? final, CancellationToken cancellation)
    {
        var range = Plan.Windows.MicroBatches(shard, position.Window);
        var totals = new ShardTotals(shard, 0, 0, 0, 0, 0, 0);
        using var digest = new WindowDigest();
        for (int index = range.First; index < range.First + range.Count; index++)
        {
            _released.Token.ThrowIfCancellationRequested();
            cancellation.ThrowIfCancellationRequested();
            var batch = _batches.Training(shard, position.Epoch, index);
            _pace.Begin(TokensOf(batch));
            FaultPoint.Reach(FaultPhase.Kernel, Plan.Windows.StepAt(position));
            long targets = CausalLoss.CountTargets(batch, PadTokensOf(Plan.Spec));
            float factor = GradientScale.MicroBatchFactor(Plan.Scaling, targets, Plan.Spec.AccumulationSteps);
            long began = Stopwatch.GetTimestamp();
            var loss = _replica.Accumulate(batch, factor, gradient, index == range.First + range.Count - 1 ? final : null);
            Interlocked.Add(ref _microBatchTicks, Stopwatch.GetElapsedTime(began).Ticks);
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
            MicroBatchDone();
        }

        return totals with { RecordsDigest = digest.Finish(), Origin = _origin };
    }

    private void MicroBatchDone()
    {
        _pace.Done(_device.Thread.SilentFor);
        Interlocked.Increment(ref _microBatchesDone);
        _device.Thread.Progress();
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
                    if (!IsFinite(record)) return new NonFiniteRecord(shard, record);
                    _device.Thread.Progress();
                }
            }
        }

        return null;
    }

    private bool IsFinite(int record)
    {
        var gradient = _replica.RentGradient();
        try
        {
            return double.IsFinite(_replica.Accumulate(_batches.Single(record), 1, gradient).LossSum) && IsFinite(gradient);
        }
        finally
        {
            _replica.Return(gradient);
        }
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

    private static int TokensOf(MicroBatch batch) => batch.RecordCount * batch.Columns;

    private static PadTokens PadTokensOf(RunSpec spec) => spec.PadTokens == PadCounting.Count ? PadTokens.Count : PadTokens.Ignore;

    /// <summary>Ends the work at hand after its micro-batch and disposes every tensor, on the device's own thread.</summary>
    public async ValueTask DisposeAsync()
    {
        await _released.CancelAsync();
        try
        {
            await _device.RunAsync(Plan.Spec.Threads, () =>
            {
                Blocks.Dispose();
                _replica.Dispose();
            }, CancellationToken.None);
        }
        finally
        {
            _room?.Dispose();
            _released.Dispose();
        }
    }
}
