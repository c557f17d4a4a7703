using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Training;
using Microsoft.Extensions.Logging;
using Orleans.Placement;
using Orleans.Runtime;
using Orleans.Storage;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Which checkpoints count, and who decides: persistent, guarded by its ETag.</summary>
[GenerateSerializer, Alias("genslm.CheckpointPointer")]
public sealed class CheckpointPointer
{
    [Id(0)] public long Generation { get; set; }

    /// <summary>Name of the last checkpoint's folder.</summary>
    [Id(1)] public string Last { get; set; } = "";

    /// <summary>Name of the best one's.</summary>
    [Id(2)] public string Best { get; set; } = "";
}

/// <summary>
/// Keeper of a run's output folder: one activation a run, key is the run id, called by the run grain. It decides which
/// checkpoint is best and which go. What it knows is read from the folder when a driver opens it, so it survives with it;
/// before a checkpoint gets its name, the pointer's ETag shows that no other activation and no later driver decides too.
/// </summary>
[PreferLocalPlacement]
public sealed class CheckpointGrain(
    [PersistentState("checkpoints")] IPersistentState<CheckpointPointer> pointer,
    IGrainFactory grains,
    ILocalSiloDetails silo,
    ClusterMetrics metrics,
    TimeProvider time,
    ILogger<CheckpointGrain> log) : Grain, ICheckpointGrain
{
    private OutputFolder? _output;
    private CheckpointFolder? _checkpoints;
    private List<CheckpointEntry> _entries = [];
    private RunPlan? _plan;
    private RunLedger? _ledger;
    private string _dataHash = "";
    private Fence _opened;

    public Task<CheckpointInventory> OpenAsync(Fence fence, string instance, RunSubmission submission, DataSummary data) => Sentences(async () =>
    {
        await TakeOverAsync(fence);
        var config = HuggingFaceConfig.Parse(submission.ModelConfig);
        _plan = new RunPlan(submission.Spec, config, RunData.Sets(data));
        await Task.Run(() => Open(fence, instance, submission, data));
        (_opened, _dataHash, _ledger) = (fence, data.Hash, null);
        DelayDeactivation(TimeSpan.MaxValue);
        return Inventory();
    });

    public Task CutAsync(Fence fence, StepRecord? last) => Sentences(async () =>
    {
        CheckOpened(fence);
        var output = Output;
        await Task.Run(() => output.CutMetrics(fence.Step));
        // A step that the partitions have seen may not have been recorded: the ledger is opened before it.
        long step = last is null ? fence.Step : fence.Step - 1;
        var head = _entries.Find(entry => entry.Step == step) is { } entry ? Checkpoints.Manifest(entry).LedgerHead : null;
        _ledger = await RunLedger.OpenAsync(Plan, _dataHash, step, head, output.CheckOwned);
        if (last is not null) await RecordAsync(last);
        return 0;
    });

    public Task RestoreAsync(Fence fence, PartitionMap partitions) => Sentences(async () =>
    {
        CheckOpened(fence);
        if (BestCheckpoints.Last(_entries) is not { } last)
        {
            await RestoreFromAsync(BlockKind.Parameters, fence, partitions, [VectorFile.OpenWeights(Plan.Spec.Weights, Plan)]);
            return 0;
        }

        var manifest = Checkpoints.Manifest(last);
        foreach (var kind in Enum.GetValues<BlockKind>())
        {
            var parts = manifest.Parts.Where(part => part.Vector == CheckpointWriter.VectorName(kind));
            var files = await Task.Run(() => parts.Select(part => VectorFile.OpenPart(Checkpoints.PathOf(last), part)).ToArray());
            await RestoreFromAsync(kind, fence, partitions, files);
        }

        return 0;
    });

    public Task RecordStepAsync(Fence fence, StepRecord record) => Sentences(async () =>
    {
        CheckOpened(fence);
        await RecordAsync(record);
        return 0;
    });

    public Task RecordValidationAsync(Fence fence, MetricLine line) => Sentences(async () =>
    {
        CheckOpened(fence);
        var output = Output;
        await Task.Run(() => output.AppendMetric(line));
        return 0;
    });

    public Task<CheckpointInventory> SaveAsync(CheckpointRequest request) => Sentences(async () =>
    {
        CheckOpened(request.Fence);
        // A driver that has taken over asks again for what may have been done.
        if (_entries.Any(entry => entry.Step == request.Fence.Step && Equals(entry.ValidationLoss, request.ValidationLoss))) return Inventory();
        long start = time.GetTimestamp();
        var name = Checkpoints.FreeName(Plan.Spec.CheckpointName, request.Epoch, request.Fence.Step, request.ValidationLoss);
        var written = new CheckpointEntry(name, request.Fence.Step, request.ValidationLoss);
        var transfer = new BlockTransfer(grains, request.Fence.RunId, silo.Name, metrics);
        var writer = new CheckpointWriter(Plan, (kind, block) => transfer.FetchAsync(request.Partitions.Owner(block), request.Fence, kind, block));
        using (var folder = await Task.Run(() => AtomicFolder.Create(Path.Combine(Checkpoints.FullPath, name))))
        {
            await Ledger.FlushAsync();
            await writer.WriteAsync(folder, request, Ledger.Head);
            await PointAtAsync([.. _entries, written]);
            await FaultPoint.ReachAsync(FaultPhase.Commit, request.Fence.Step);
            await Task.Run(() =>
            {
                Output.CheckOwned();
                folder.Commit();
            });
        }

        _entries.Add(written);
        await Task.Run(Prune);
        metrics.CheckpointWritten(request.Fence.RunId, time.GetElapsedTime(start).TotalSeconds);
        log.CheckpointWritten(request.Fence.RunId, name, request.Fence.Step);
        return Inventory();
    });

    public Task<ExportReport> ExportAsync(Fence fence) => Sentences(async () =>
    {
        CheckOpened(fence);
        var last = BestCheckpoints.Last(_entries) ?? throw NothingToExport;
        var path = await Task.Run(() => StateDictExport.Write(Plan.Spec, Plan.Config, Checkpoints, BestCheckpoints.Best(_entries) ?? last, Output.CheckOwned));
        return new ExportReport(path, Checkpoints.Manifest(last).WeightsSha256, Ledger.Head, await Ledger.RecordsSeenExactlyOnceAsync());
    });

    public Task<ExportReport> ExportStoppedAsync(RunSubmission submission) => Sentences(() => Task.Run(() =>
    {
        var checkpoints = new CheckpointFolder(submission.Spec.Output);
        var entries = checkpoints.List();
        var last = BestCheckpoints.Last(entries) ?? throw NothingToExport;
        var path = StateDictExport.Write(submission.Spec, HuggingFaceConfig.Parse(submission.ModelConfig), checkpoints, BestCheckpoints.Best(entries) ?? last);
        var manifest = checkpoints.Manifest(last);
        return new ExportReport(path, manifest.WeightsSha256, manifest.LedgerHead ?? "", RecordsSeenExactlyOnce: null);
    }));

    public Task<Block> ReadAsync(string checkpoint, int block, int length) => Sentences(() => Task.Run(() =>
    {
        var values = Block.RentForAnswer(block, length);
        foreach (var part in CheckpointManifest.Read(checkpoint).Parts.Where(part => part.Vector == CheckpointWriter.VectorName(BlockKind.Parameters)))
        {
            using var file = VectorFile.OpenPart(checkpoint, part);
            file.Read(ParameterLayout.BlockOffset(block), values.Values);
        }

        return values;
    }));

    public Task CloseAsync(Fence fence)
    {
        CheckOpened(fence);
        Close();
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        Close();
        return Task.CompletedTask;
    }

    private void Close()
    {
        _output?.Dispose();
        _output = null;
        _opened = default;
    }

    /// <summary>Makes this the activation, and the fence's driver the driver, whose decisions count.</summary>
    private async Task TakeOverAsync(Fence fence)
    {
        await PatientStorage.DoAsync(pointer.ReadStateAsync, time);
        if (pointer.State.Generation > fence.Generation)
            throw new SupersededException($"Generation {pointer.State.Generation} keeps the checkpoints of run {fence.RunId}; generation {fence.Generation} is over.");
        pointer.State.Generation = fence.Generation;
        await WritePointerAsync();
    }

    private async Task PointAtAsync(List<CheckpointEntry> entries)
    {
        pointer.State.Last = BestCheckpoints.Last(entries)?.Name ?? "";
        pointer.State.Best = BestCheckpoints.Best(entries)?.Name ?? "";
        await WritePointerAsync();
    }

    private async Task WritePointerAsync()
    {
        try
        {
            await PatientStorage.DoAsync(pointer.WriteStateAsync, time);
        }
        catch (InconsistentStateException)
        {
            // Another activation has written since we read: it decides now.
            Close();
            DeactivateOnIdle();
            throw new StaleMessageException($"Another activation keeps the checkpoints of run {this.GetPrimaryKeyString()} now.");
        }
    }

    private void CheckOpened(Fence fence)
    {
        if (_output is null || _opened.Generation < fence.Generation) throw new StaleMessageException($"Generation {fence.Generation} of run {fence.RunId} has not opened its output folder.");
        if (_opened.Generation > fence.Generation) throw new SupersededException($"Generation {_opened.Generation} of run {fence.RunId} has taken over from {fence.Generation}.");
    }

    private void Open(Fence fence, string instance, RunSubmission submission, DataSummary data)
    {
        var spec = submission.Spec;
        if (spec.Weights.Length > 0) VectorFile.OpenWeights(spec.Weights, Plan).Dispose();
        var output = OutputFolder.Take(spec.Output, new FolderOwner(instance, fence.Generation));
        try
        {
            _checkpoints = new CheckpointFolder(spec.Output);
            bool goesOn = submission.Resume || output.IsSameRun;
            _entries = goesOn ? _checkpoints.ListAndTidy() : [];
            if (goesOn && output.ReadRunFile() is { } before)
            {
                if (before["resolved"]?["dataHash"]?.GetValue<string>() is { } hash && hash != data.Hash)
                    throw new RunInputException($"{FileList.Text(spec.Data)} has changed{(spec.ValData.Length + spec.TestData.Length > 0 ? ", or its validation or test set" : "")}: the run in {spec.Output} began with data of hash {hash}, now it is {data.Hash}.");
                if (ResumeRule.Objection(before, submission) is { } objection) throw new RunInputException(objection);
            }

            if (!goesOn && (File.Exists(output.RunFile) || Directory.Exists(_checkpoints.FullPath)))
                throw new RunInputException($"The output folder {spec.Output} already holds a run; go on with it by 'genslm resume {spec.Output}' or choose another --output.");
            output.WriteRunFile(fence.RunId, submission, data);
            _output?.Dispose();
            _output = output;
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    private async Task RestoreFromAsync(BlockKind kind, Fence fence, PartitionMap partitions, VectorFile[] files)
    {
        try
        {
            for (int index = 0; index < Plan.Layout.BlockCount; index++)
            {
                var place = partitions.Owner(index);
                using var block = Block.Rent(index, Plan.Layout.BlockSize(index));
                await Task.Run(() =>
                {
                    foreach (var file in files) file.Read(ParameterLayout.BlockOffset(block.Index), block.Values);
                });
                await PutAsync(kind, fence, place, block);
            }
        }
        finally
        {
            foreach (var file in files) file.Dispose();
        }
    }

    private async Task PutAsync(BlockKind kind, Fence fence, PartitionPlace place, Block block)
    {
        try
        {
            await Task.WhenAll(place.Holders.Select(holder => grains.GetGrain<IParameterServerGrain>(place.Key(fence.RunId, holder)).PutAsync(fence, kind, block)));
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Its driver must not take a holder's loss for this grain's.
            throw new PartitionUnreachableException($"partition {place.Index}: {exception.Message}");
        }
    }

    private void Prune()
    {
        foreach (var entry in BestCheckpoints.Superfluous(_entries, Plan.Spec.KeepBest))
        {
            Output.CheckOwned();
            Checkpoints.Remove(entry);
            _entries.Remove(entry);
        }
    }

    private CheckpointInventory Inventory()
    {
        var last = BestCheckpoints.Last(_entries);
        var best = BestCheckpoints.Best(_entries);
        return new CheckpointInventory(
            last is null ? null : CheckpointFolder.Progress(Checkpoints.Manifest(last)),
            last is null ? "" : Checkpoints.PathOf(last),
            best is null ? "" : Checkpoints.PathOf(best));
    }

    private async Task RecordAsync(StepRecord record)
    {
        var output = Output;
        await Task.Run(() => output.AppendMetric(record.Line));
        await Ledger.AppendAsync(record.Progress.Step, record.Skipped ? [] : [.. record.Shards.Select(shard => shard.RecordsDigest)]);
    }

    private RunLedger Ledger => _ledger ?? throw NotOpened;

    private OutputFolder Output => _output ?? throw NotOpened;

    private CheckpointFolder Checkpoints => _checkpoints ?? throw NotOpened;

    private RunPlan Plan => _plan ?? throw NotOpened;

    private RunInputException NothingToExport => new($"Run {this.GetPrimaryKeyString()} has no checkpoint to export yet.");

    private StaleMessageException NotOpened => new($"Run {this.GetPrimaryKeyString()} has not opened its output folder.");

    // What the user can mend reaches the console as one sentence.
    private async Task<T> Sentences<T>(Func<Task<T>> work)
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
            throw new RunInputException($"The disk of {_plan?.Spec.Output} is full; the last whole checkpoint is kept. Free space, then 'genslm resume {_plan?.Spec.Output}'.");
        }
    }
}
