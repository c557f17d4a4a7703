using System.Security.Cryptography;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Training;
using Microsoft.Extensions.Logging;
using Orleans.Placement;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// Keeper of a run's output folder: one activation a run, key is the run id, called by the run grain. It decides which
/// checkpoint is best and which go. What it knows is read from the folder when the run opens it, so it survives with it.
/// </summary>
[PreferLocalPlacement]
public sealed class CheckpointGrain(IGrainFactory grains, ClusterMetrics metrics, TimeProvider time, ILogger<CheckpointGrain> log) : Grain, ICheckpointGrain
{
    private OutputFolder? _output;
    private CheckpointFolder? _checkpoints;
    private List<CheckpointEntry> _entries = [];
    private RunPlan? _plan;
    private string _runId = "";
    private VectorFile[]? _best;

    public Task<CheckpointInventory> OpenAsync(string runId, RunSubmission submission, DataSummary data) => Sentences(async () =>
    {
        var config = HuggingFaceConfig.Parse(submission.ModelConfig);
        _plan = new RunPlan(submission.Spec, config, RunData.Sets(data));
        _runId = runId;
        await Task.Run(() => Open(submission, data));
        DelayDeactivation(TimeSpan.MaxValue);
        return Inventory();
    });

    public Task RestoreAsync(Fence fence, PartitionMap partitions) => Sentences(async () =>
    {
        if (BestCheckpoints.Last(_entries) is not { } last)
        {
            await RestoreFromAsync(BlockKind.Parameters, fence, partitions, [VectorFile.OpenWeights(Plan.Spec.Weights, Plan)]);
            return 0;
        }

        var manifest = Checkpoints.Manifest(last);
        foreach (var kind in Enum.GetValues<BlockKind>())
        {
            var parts = manifest.Parts.Where(part => part.Vector == CheckpointWriter.VectorName(kind));
            var files = await Task.Run(() => parts.Select(part => VectorFile.OpenPart(Checkpoints.PathOf(last), part, Plan.Layout)).ToArray());
            await RestoreFromAsync(kind, fence, partitions, files);
        }

        return 0;
    });

    public async Task RecordAsync(MetricLine line)
    {
        var output = Output;
        await Sentences(() => Task.Run(() => { output.AppendMetric(line); return 0; }));
    }

    public Task<CheckpointInventory> SaveAsync(CheckpointRequest request) => Sentences(async () =>
    {
        long start = time.GetTimestamp();
        var name = Checkpoints.FreeName(Plan.Spec.CheckpointName, request.Epoch, request.Fence.Step, request.ValidationLoss);
        var writer = new CheckpointWriter(Plan, (kind, block) => Partition(request.Partitions, block).FetchAsync(request.Fence, kind, block));
        using (var folder = await Task.Run(() => AtomicFolder.Create(Path.Combine(Checkpoints.FullPath, name))))
            await writer.WriteAsync(folder, request);
        _entries.Add(new CheckpointEntry(name, request.Fence.Step, request.ValidationLoss));
        await Task.Run(Prune);
        metrics.CheckpointWritten(_runId, time.GetElapsedTime(start).TotalSeconds);
        log.CheckpointWritten(_runId, name, request.Fence.Step);
        return Inventory();
    });

    public Task<ExportReport> ExportAsync() => Sentences(() => Task.Run(() =>
    {
        var last = BestCheckpoints.Last(_entries) ?? throw new RunFailedException($"Run {_runId} has no checkpoint to export.");
        var path = StateDictExport.Write(Plan, Checkpoints, BestCheckpoints.Best(_entries) ?? last);
        return new ExportReport(path, Checkpoints.Manifest(last).WeightsSha256);
    }));

    public Task<Block> FetchBestAsync(int block) => Sentences(() => Task.Run(() =>
    {
        _best ??= OpenBest();
        var values = Block.RentForAnswer(block, Plan.Layout.BlockSize(block));
        foreach (var file in _best) file.Read(ParameterLayout.BlockOffset(block), values.Values);
        return values;
    }));

    public Task CloseAsync()
    {
        foreach (var file in _best ?? []) file.Dispose();
        _best = null;
        _output?.Dispose();
        _output = null;
        DeactivateOnIdle();
        return Task.CompletedTask;
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => CloseAsync();

    private void Open(RunSubmission submission, DataSummary data)
    {
        var spec = submission.Spec;
        if (spec.Weights.Length > 0) VectorFile.OpenWeights(spec.Weights, Plan).Dispose();
        var output = OutputFolder.Take(spec.Output);
        try
        {
            _checkpoints = new CheckpointFolder(spec.Output);
            _entries = submission.Resume ? _checkpoints.List() : [];
            if (submission.Resume && output.ReadRunFile() is { } before)
            {
                if (before["resolved"]?["dataHash"]?.GetValue<string>() is { } hash && hash != data.Hash)
                    throw new RunInputException($"{FileList.Text(spec.Data)} has changed, or its validation or test set: the run in {spec.Output} began with data of hash {hash}, now it is {data.Hash}.");
                if (ResumeRule.Objection(before, submission) is { } objection) throw new RunInputException(objection);
            }

            if (!submission.Resume && (File.Exists(output.RunFile) || Directory.Exists(_checkpoints.FullPath)))
                throw new RunInputException($"The output folder {spec.Output} already holds a run; go on with it by 'genslm resume {spec.Output}' or choose another --output.");
            output.CutMetrics(BestCheckpoints.Last(_entries)?.Step ?? 0);
            output.WriteRunFile(_runId, submission, data);
            _output?.Dispose();
            _output = output;
        }
        catch
        {
            output.Dispose();
            throw;
        }
    }

    private VectorFile[] OpenBest()
    {
        var entry = BestCheckpoints.Best(_entries) ?? BestCheckpoints.Last(_entries) ?? throw new RunFailedException($"Run {_runId} has no checkpoint to read.");
        var parts = Checkpoints.Manifest(entry).Parts.Where(part => part.Vector == CheckpointWriter.VectorName(BlockKind.Parameters));
        return [.. parts.Select(part => VectorFile.OpenPart(Checkpoints.PathOf(entry), part, Plan.Layout))];
    }

    private async Task RestoreFromAsync(BlockKind kind, Fence fence, PartitionMap partitions, VectorFile[] files)
    {
        try
        {
            for (int index = 0; index < Plan.Layout.BlockCount; index++)
            {
                var block = Block.Rent(index, Plan.Layout.BlockSize(index));
                await Task.Run(() =>
                {
                    foreach (var file in files) file.Read(ParameterLayout.BlockOffset(block.Index), block.Values);
                });
                await Partition(partitions, index).PutAsync(fence, kind, block);
                block.Dispose();
            }
        }
        finally
        {
            foreach (var file in files) file.Dispose();
        }
    }

    private void Prune()
    {
        foreach (var entry in BestCheckpoints.Superfluous(_entries, Plan.Spec.KeepBest))
        {
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

    private IParameterServerGrain Partition(PartitionMap partitions, int block) =>
        grains.GetGrain<IParameterServerGrain>(partitions.Owner(block).Key(_runId));

    private OutputFolder Output => _output ?? throw new StaleMessageException($"Run {_runId} has not opened its output folder.");

    private CheckpointFolder Checkpoints => _checkpoints ?? throw new StaleMessageException($"Run {_runId} has not opened its output folder.");

    private RunPlan Plan => _plan ?? throw new StaleMessageException($"Run {_runId} has not opened its output folder.");

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
