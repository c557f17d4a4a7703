using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Diagnostics;

/// <summary>
/// All instruments of the meter <c>GenSlm</c>. A run's gauges are read from the run grains active on this silo, so a
/// series moves with its grain; labels are run, silo, device, phase, kind and direction, never a step or a record.
/// </summary>
public sealed class ClusterMetrics : IDisposable
{
    public const string MeterName = "GenSlm";

    private readonly Meter _meter = new(MeterName);
    private readonly ConcurrentDictionary<string, Func<RunStatus>> _runs = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, bool> _waitingForRoom = new(StringComparer.Ordinal);
    private readonly KeyValuePair<string, object?> _silo;
    private readonly Counter<long> _optimizerSteps;
    private readonly Counter<long> _microBatches;
    private readonly Counter<double> _microBatchSeconds;
    private readonly Counter<long> _tokens;
    private readonly Histogram<double> _stepDuration;
    private readonly Counter<double> _deviceSeconds;
    private readonly Counter<long> _transferredBytes;
    private readonly Histogram<double> _checkpointDuration;
    private readonly Counter<long> _staleWrites;
    private readonly Counter<long> _reassigned;
    private readonly Counter<long> _recomputed;
    private readonly Counter<long> _sumsPutOff;

    /// <param name="siloName">The pod or process name: Orleans' own address changes with every start.</param>
    public ClusterMetrics(string siloName)
    {
        _silo = new("silo", siloName);
        _optimizerSteps = _meter.CreateCounter<long>("genslm.optimizer_steps", description: "Optimizer steps applied.");
        _microBatches = _meter.CreateCounter<long>("genslm.micro_batches", description: "Micro-batches that went through forward and backward.");
        _microBatchSeconds = _meter.CreateCounter<double>("genslm.micro_batch", "s", "Seconds in forward and backward.");
        _tokens = _meter.CreateCounter<long>("genslm.tokens", description: "Tokens computed, real and padding.");
        _stepDuration = _meter.CreateHistogram("genslm.step_duration", "s", "Seconds of an optimizer step, by phase.", advice: SecondsBuckets);
        _deviceSeconds = _meter.CreateCounter<double>("genslm.device", "s", "Seconds a device spent, by phase.");
        _transferredBytes = _meter.CreateCounter<long>("genslm.block_transfer", "By", "Bytes of blocks moved between replicas and partitions, within a silo's memory or over the network.");
        _checkpointDuration = _meter.CreateHistogram("genslm.checkpoint_duration", "s", "Seconds to write a checkpoint.", advice: SecondsBuckets);
        _staleWrites = _meter.CreateCounter<long>("genslm.stale_writes_rejected", description: "Messages of silos or drivers that had been given up, refused.");
        _reassigned = _meter.CreateCounter<long>("genslm.shards_reassigned", description: "Shards whose window went to another device, by reason.");
        _sumsPutOff = _meter.CreateCounter<long>("genslm.sums_put_off", description: "Blocks of gradient sums that a holder had no memory for yet; their senders kept them.");
        _recomputed = _meter.CreateCounter<long>("genslm.recomputed_micro_batches", description: "Micro-batches that a device computed again within a step.");
        Gauge("genslm.run_state", "State of a run: 1 preparing, 2 running, 3 pausing, 4 paused, 5 completed, 6 failed, 7 waiting, 8 cancelled.", run => (double)run.State);
        Gauge("genslm.run_step", "Optimizer steps applied.", run => run.Step);
        Gauge("genslm.run_steps_planned", "Optimizer steps the run will have.", run => run.TotalSteps);
        Gauge("genslm.run_epoch", "Epoch, from 1.", run => run.Epoch);
        Gauge("genslm.train_loss", "Training loss of the last step.", run => run.TrainLoss);
        Gauge("genslm.validation_loss", "Last validation loss.", run => run.ValidationLoss);
        Gauge("genslm.best_validation_loss", "Lowest validation loss so far.", run => run.BestValidationLoss);
        Gauge("genslm.learning_rate", "Learning rate of the last step.", run => run.Step == 0 ? null : run.LearningRate);
        Gauge("genslm.gradient_norm", "Global gradient norm of the last step, before clipping.", run => run.Step == 0 ? null : run.GradientNorm);
        Gauge("genslm.checkpoint_waiting", "1 while a run waits for room on its disk, 0 otherwise.", run => _waitingForRoom.ContainsKey(run.RunId) ? 1 : 0);
        _meter.CreateObservableGauge("genslm.run_seconds", MeasureSeconds, "s", "What a run's wall time went to so far: no second is counted twice, and none is left out.");
        _meter.CreateObservableGauge(
            "genslm.replica_memory", () => new Measurement<long>(Environment.WorkingSet, _silo), "By", "Resident memory of the silo's process.");
        _meter.CreateObservableGauge("genslm.build_info", BuildInfo, description: "Always 1; the version is a label.");
    }

    private static InstrumentAdvice<double> SecondsBuckets { get; } = new()
    {
        HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
    };

    /// <summary>Exports the gauges of a run whose grain lives here, until disposed.</summary>
    public IDisposable Watch(string runId, Func<RunStatus> status)
    {
        _runs[runId] = status;
        return new Watched(this, runId);
    }

    public void StepApplied(string runId) => _optimizerSteps.Add(1, new("run", runId), _silo);

    public void WindowComputed(string runId, string device, ShardTotals totals, double microBatchSeconds)
    {
        _microBatchSeconds.Add(microBatchSeconds, new("run", runId), _silo, new("device", device));
        _microBatches.Add(totals.MicroBatches, new("run", runId), _silo, new("device", device));
        _tokens.Add(totals.RealTokens, [new("run", runId), _silo, new("device", device), new("kind", "real")]);
        _tokens.Add(totals.PaddingTokens, [new("run", runId), _silo, new("device", device), new("kind", "padding")]);
    }

    /// <summary>A phase of an optimizer step took so long: seen by the run grain.</summary>
    public void PhaseEnded(string runId, string phase, double seconds) =>
        _stepDuration.Record(seconds, new("run", runId), _silo, new("phase", phase));

    /// <summary>A device spent so long in a phase.</summary>
    public void DeviceSpent(string runId, string device, string phase, double seconds) =>
        _deviceSeconds.Add(seconds, [new("run", runId), _silo, new("device", device), new("phase", phase)]);

    /// <param name="runId">The run.</param>
    /// <param name="direction"><c>fetch</c>, <c>push</c> or <c>seed</c>.</param>
    /// <param name="sizeBytes">What the values took where they moved.</param>
    /// <param name="isHere">Whether they stayed on this silo.</param>
    public void BlockMoved(string runId, string direction, long sizeBytes, bool isHere) =>
        _transferredBytes.Add(sizeBytes, [new("run", runId), _silo, new("direction", direction), new("way", isHere ? "memory" : "network")]);

    public void StaleWriteRejected(string runId) => _staleWrites.Add(1, new("run", runId), _silo);

    /// <summary>A block of a sum found no room beside those that wait for their neighbours.</summary>
    public void SumPutOff(string runId) => _sumsPutOff.Add(1, new("run", runId), _silo);

    /// <param name="runId">The run.</param>
    /// <param name="reason"><c>lost</c> or <c>slow</c>.</param>
    /// <param name="count">How many shards.</param>
    public void ShardsReassigned(string runId, string reason, int count) => _reassigned.Add(count, new("run", runId), _silo, new("reason", reason));

    public void Recomputed(string runId, int microBatches)
    {
        if (microBatches > 0) _recomputed.Add(microBatches, new("run", runId), _silo);
    }

    public void CheckpointWritten(string runId, double seconds) => _checkpointDuration.Record(seconds, new("run", runId), _silo);

    /// <summary>A run begins, or ends, to wait for room on the disk of its output folder.</summary>
    public void CheckpointWaits(string runId, bool waits)
    {
        if (waits) _waitingForRoom[runId] = true;
        else _waitingForRoom.TryRemove(runId, out _);
    }

    private void Gauge(string name, string description, Func<RunStatus, double?> read) =>
        _meter.CreateObservableGauge(name, () => Measure(read), description: description);

    private IEnumerable<Measurement<double>> Measure(Func<RunStatus, double?> read)
    {
        foreach (var (runId, status) in _runs)
            if (read(status()) is { } value) yield return new Measurement<double>(value, new("run", runId), _silo);
    }

    private IEnumerable<Measurement<double>> MeasureSeconds()
    {
        foreach (var (runId, status) in _runs)
            foreach (var (use, seconds) in status().Spent.ByUse()) yield return new Measurement<double>(seconds, new("run", runId), _silo, new("use", use));
    }

    private Measurement<int> BuildInfo() =>
        new(1, _silo, new("version", typeof(ClusterMetrics).Assembly.GetName().Version?.ToString(3)));

    public void Dispose() => _meter.Dispose();

    private sealed class Watched(ClusterMetrics metrics, string runId) : IDisposable
    {
        public void Dispose() => metrics._runs.TryRemove(runId, out _);
    }
}
