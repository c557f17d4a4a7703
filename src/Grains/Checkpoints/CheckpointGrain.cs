using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Grains.Sites;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Placement;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Which checkpoints count, and who decides: persistent, guarded by its ETag.</summary>
[GenerateSerializer, Alias("genslm.CheckpointPointer")]
public sealed class CheckpointPointer : IStampedRecord
{
    [Id(0)] public long Generation { get; set; }

    /// <summary>Name of the last checkpoint's folder.</summary>
    [Id(1)] public string Last { get; set; } = "";

    /// <summary>Name of the best one's.</summary>
    [Id(2)] public string Best { get; set; } = "";

    [Id(3)] public WriteStamp? LastWrite { get; set; }
}

/// <summary>
/// Keeper of a run's output folder: one activation a run, key is the run id, called by the run grain. It decides which
/// checkpoint is best and which go. What it knows is read from the folder when a driver opens it, so it survives with it;
/// before a checkpoint gets its name, the pointer's ETag shows that no other activation and no later driver decides too.
/// Calls interleave, so that a step is recorded while a checkpoint is written or exported. One checkpoint is written at a
/// time, and one line recorded at a time; opening the folder breaks off the former and waits for both.
/// </summary>
[PreferLocalPlacement, Reentrant]
public sealed class CheckpointGrain(
    [PersistentState("checkpoints")] IPersistentState<CheckpointPointer> pointer,
    StorePatience patience,
    IGrainFactory grains,
    ILocalSiloDetails silo,
    ChannelPeers channel,
    Peers peers,
    FileThreads files,
    RunPlans plans,
    ClusterMetrics metrics,
    TimeProvider time,
    ILogger<CheckpointGrain> log) : Grain, ICheckpointGrain
{
    private static readonly TimeSpan ReadIdle = TimeSpan.FromSeconds(30);

    private readonly HeldTurn _saving = new();
    private readonly HeldTurn _recording = new();
    private readonly SharedReading _reading = new(files, time);
    private readonly CheckpointDecision _decision = new(pointer, patience, time);
    private readonly CheckpointRoom _room = new(time);
    private OpenedOutput? _opened;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        this.RegisterGrainTimer(() =>
        {
            _reading.CloseAfter(ReadIdle);
            return Task.CompletedTask;
        }, new GrainTimerCreationOptions(ReadIdle, ReadIdle));
        return Task.CompletedTask;
    }

    public Task<CheckpointInventory> OpenAsync(Fence fence, string instance, RunSubmission submission, DataSummary data) => Sentences(submission.Spec.Output, async () =>
    {
        // First: it may have to be asked for elsewhere.
        var plan = await plans.OfAsync(submission, data);
        if (_opened is { } known && known.Fence.Generation > fence.Generation) throw Superseded(known, fence);
        _opened?.End();
        using var saving = await _saving.TakeAsync();
        using var recording = await _recording.TakeAsync();
        if (!await _decision.TakeOverAsync(fence)) throw Displaced();
        var opened = await files.RunAsync(() => OpenedOutput.Open(fence, instance, submission, data, plan));
        _opened?.Dispose();
        _opened = opened;
        DelayDeactivation(TimeSpan.MaxValue);
        return await files.RunAsync(opened.Inventory);
    });

    public Task<CheckpointInventory> VerifyAsync(Fence fence) => OfOpened(fence, async opened =>
    {
        using var saving = await _saving.TakeAsync();
        var found = await files.RunLongAsync(() => NewestWholeCheckpoint.Find(opened.Checkpoints, opened.Plan, opened.Folder.CheckOwned));
        opened.Verified?.Dispose();
        (opened.Verified, opened.Entries) = (found.Reader, found.Remaining);
        foreach (var sentence in found.Damaged) log.CheckpointDamaged(fence.RunId, sentence);
        return await files.RunAsync(opened.Inventory) with { Damaged = found.Damaged };
    });

    public Task<string> CutAsync(Fence fence, StepRecord? last) => OfOpened(fence, async opened =>
    {
        using var recording = await _recording.TakeAsync();
        // A step that the partitions have seen may not have been recorded: the ledger is opened before it.
        long step = last is null ? fence.Step : fence.Step - 1;
        var entry = opened.Entries.FirstOrDefault(entry => entry.Step == step);
        var head = await files.RunAsync(() =>
        {
            opened.Folder.CutMetrics(fence.Step);
            return entry is null ? null : opened.Checkpoints.Manifest(entry).LedgerHead;
        });
        opened.Ledger = await RunLedger.OpenAsync(files, opened.Plan, opened.DataHash, step, head, opened.Folder.CheckOwned);
        if (last is not null) await RecordAsync(opened, last);
        return opened.Ledger.Head;
    });

    public Task RestoreAsync(Fence fence, PartitionMap partitions) => OfOpened(fence, async opened =>
    {
        using var saving = await _saving.TakeAsync();
        var filling = new PartitionFilling(grains, files, opened.Plan, fence, partitions);
        if (BestCheckpoints.Last(opened.Entries) is not { } last)
        {
            using var weights = await files.RunAsync(() => VectorFile.OpenWeights(opened.Plan.Spec.Weights, opened.Plan));
            await filling.FromAsync(weights);
            return true;
        }

        using var checkpoint = opened.Verified ?? await files.RunLongAsync(() => CheckpointReader.Open(opened.Checkpoints.PathOf(last), opened.Plan));
        opened.Verified = null;
        await filling.FromAsync(checkpoint);
        return true;
    });

    public Task<string> RecordStepAsync(Fence fence, StepRecord record) => OfOpened(fence, async opened =>
    {
        using var recording = await _recording.TakeAsync();
        await FaultPoint.ReachAsync(FaultPhase.Write, fence.Step);
        await RecordAsync(opened, record);
        return LedgerOf(opened).Head;
    });

    public Task RecordValidationAsync(Fence fence, MetricLine line) => OfOpened(fence, async opened =>
    {
        using var recording = await _recording.TakeAsync();
        await files.RunAsync(() => opened.Folder.AppendMetric(line));
        return true;
    });

    public Task<CheckpointInventory> SaveAsync(CheckpointRequest request) => OfOpened(request.Fence, async opened =>
    {
        using var saving = await _saving.TakeAsync();
        CheckOpened(request.Fence);
        // A driver that has taken over asks again for what may have been done.
        if (opened.Entries.Any(entry => entry.Step == request.Fence.Step && Equals(entry.ValidationLoss, request.ValidationLoss))) return await files.RunAsync(opened.Inventory);
        await files.RunAsync(() => _room.CheckBefore(opened));
        long start = time.GetTimestamp();
        var save = new CheckpointSave(opened, files, LedgerOf(opened), new BlockTransfer(grains, channel, peers, request.Fence.RunId, silo.Name, metrics, time));
        try
        {
            var written = await save.WriteAsync(request, async entries =>
            {
                if (!await _decision.PointAtAsync(entries)) throw Displaced();
            });
            opened.Entries = opened.Entries.Add(written);
            await opened.PruneAsync(files);
            metrics.CheckpointWritten(request.Fence.RunId, time.GetElapsedTime(start).TotalSeconds);
            log.CheckpointWritten(request.Fence.RunId, written.Name, request.Fence.Step);
            return await files.RunAsync(opened.Inventory);
        }
        catch (IOException exception) when (DiskFull.Is(exception))
        {
            _room.WasShort();
            throw;
        }
        catch (OperationCanceledException exception) when (opened.Ending.IsCancellationRequested)
        {
            throw new StaleMessageException($"The output folder of run {request.Fence.RunId} was opened anew while the checkpoint of step {request.Fence.Step} was written: {exception.Message}");
        }
    });

    public Task<ExportReport> ExportAsync(Fence fence) => OfOpened(fence, async opened =>
    {
        var last = BestCheckpoints.Last(opened.Entries) ?? throw NothingToExport;
        var exported = BestCheckpoints.Best(opened.Entries) ?? last;
        var head = LedgerOf(opened).Head;
        using var lease = opened.Lease(exported);
        var (path, hash) = await files.RunLongAsync(() => (
            StateDictExport.Write(opened.Plan.Spec, opened.Plan.Config, opened.Checkpoints, exported, opened.Folder.CheckOwned),
            opened.Checkpoints.Manifest(last).WeightsSha256));
        return new ExportReport(path, hash, head, await LedgerOf(opened).RecordsSeenExactlyOnceAsync());
    });

    public Task<ExportReport> ExportStoppedAsync(RunSubmission submission) => Sentences(submission.Spec.Output, () => files.RunLongAsync(() =>
    {
        var checkpoints = new CheckpointFolder(submission.Spec.Output);
        var entries = checkpoints.List();
        var last = BestCheckpoints.Last(entries) ?? throw NothingToExport;
        var path = StateDictExport.Write(submission.Spec, HuggingFaceConfig.Parse(submission.ModelConfig), checkpoints, BestCheckpoints.Best(entries) ?? last);
        var manifest = checkpoints.Manifest(last);
        return new ExportReport(path, manifest.WeightsSha256, manifest.LedgerHead ?? "", RecordsSeenExactlyOnce: null);
    }));

    public Task<Block> ReadAsync(string checkpoint, int block, int length) => Sentences(checkpoint, () => _reading.ReadAsync(checkpoint, block, length));

    public async Task CloseAsync(Fence fence)
    {
        CheckOpened(fence);
        _opened?.End();
        using (await _saving.TakeAsync())
        using (await _recording.TakeAsync())
        {
            CheckOpened(fence);
            Close();
        }

        DeactivateOnIdle();
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Close();
        _reading.Close();
        return Task.CompletedTask;
    }

    private void Close()
    {
        _opened?.Dispose();
        _opened = null;
    }

    private OpenedOutput CheckOpened(Fence fence)
    {
        if (_opened is not { } opened || opened.Fence.Generation < fence.Generation) throw new StaleMessageException($"Generation {fence.Generation} of run {fence.RunId} has not opened its output folder.");
        return opened.Fence.Generation > fence.Generation ? throw Superseded(opened, fence) : opened;
    }

    private async Task RecordAsync(OpenedOutput opened, StepRecord record)
    {
        await files.RunAsync(() => opened.Folder.AppendMetric(record.Line));
        await LedgerOf(opened).AppendAsync(record.Progress.Step, record.Skipped ? [] : [.. record.Shards.Select(shard => shard.RecordsDigest)]);
    }

    private static RunLedger LedgerOf(OpenedOutput opened) =>
        opened.Ledger ?? throw new StaleMessageException($"Run {opened.Fence.RunId} has not said yet where it goes on.");

    private static SupersededException Superseded(OpenedOutput opened, Fence fence) =>
        new($"Generation {opened.Fence.Generation} of run {fence.RunId} has taken over from {fence.Generation}.");

    private RunInputException NothingToExport => new($"Run {this.GetPrimaryKeyString()} has no checkpoint to export yet.");

    // Another activation decides now.
    private StaleMessageException Displaced()
    {
        Close();
        DeactivateOnIdle();
        return new StaleMessageException($"Another activation keeps the checkpoints of run {this.GetPrimaryKeyString()} now.");
    }

    private Task<T> OfOpened<T>(Fence fence, Func<OpenedOutput, Task<T>> work)
    {
        var opened = CheckOpened(fence);
        return Sentences(opened.Plan.Spec.Output, () => work(opened));
    }

    // What the user can mend reaches the console as one sentence.
    private static async Task<T> Sentences<T>(string folder, Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (Exception exception) when (exception is WeightFileException or FastaException)
        {
            throw new RunInputException(exception.Message);
        }
        catch (IOException exception) when (DiskFull.Is(exception))
        {
            throw new DiskFullException($"The disk of {folder} is full; the last whole checkpoint is kept.");
        }
    }
}
