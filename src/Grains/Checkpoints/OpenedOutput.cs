using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// What a checkpoint grain has of a run's output folder from the moment a driver opens it until the next does: all of it
/// begins and ends together, so that nothing of one driver is left for another. Changed on the grain's scheduler only.
/// </summary>
internal sealed class OpenedOutput : IDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private readonly List<string> _leased = [];

    private OpenedOutput(Fence fence, RunPlan plan, string dataHash, OutputFolder folder, CheckpointFolder checkpoints, ImmutableArray<CheckpointEntry> entries) =>
        (Fence, Plan, DataHash, Folder, Checkpoints, Entries) = (fence, plan, dataHash, folder, checkpoints, entries);

    /// <summary>Run and generation of the driver.</summary>
    public Fence Fence { get; }

    public RunPlan Plan { get; }

    public string DataHash { get; }

    public OutputFolder Folder { get; }

    public CheckpointFolder Checkpoints { get; }

    /// <summary>The checkpoints that count, oldest first.</summary>
    public ImmutableArray<CheckpointEntry> Entries { get; set; }

    /// <summary>Null until it is known where the run goes on.</summary>
    public RunLedger? Ledger { get; set; }

    /// <summary>The last checkpoint, open and verified, until the partitions have it.</summary>
    public CheckpointReader? Verified { get; set; }

    /// <summary>Cancelled when another driver opens the folder, or it is closed.</summary>
    public CancellationToken Ending => _ending.Token;

    /// <summary>Takes the folder and reads what is in it.</summary>
    /// <exception cref="RunInputException">It is another run's, or the run began with other settings or data.</exception>
    public static OpenedOutput Open(Fence fence, string instance, RunSubmission submission, DataSummary data, RunPlan plan)
    {
        var spec = submission.Spec;
        if (spec.Weights.Length > 0) VectorFile.OpenWeights(spec.Weights, plan).Dispose();
        var folder = OutputFolder.Take(spec.Output, new FolderOwner(instance, fence.Generation));
        try
        {
            var checkpoints = new CheckpointFolder(spec.Output);
            bool goesOn = submission.Resume || folder.IsSameRun;
            if (goesOn) checkpoints.Tidy();
            if (goesOn && folder.ReadRunFile() is { } before)
            {
                if (before["resolved"]?["dataHash"]?.GetValue<string>() is { } hash && hash != data.Hash)
                    throw new RunInputException($"{FileList.Text(spec.Data)} has changed{(spec.ValData.Length + spec.TestData.Length > 0 ? ", or its validation or test set" : "")}: the run in {spec.Output} began with data of hash {hash}, now it is {data.Hash}.");
                if (ResumeRule.Objection(before, submission) is { } objection) throw new RunInputException(objection);
            }

            if (!goesOn && (File.Exists(folder.RunFile) || Directory.Exists(checkpoints.FullPath)))
                throw new RunInputException($"The output folder {spec.Output} already holds a run; go on with it by 'genslm resume {spec.Output}' or choose another --output.");
            folder.WriteRunFile(fence.RunId, submission, data);
            return new OpenedOutput(fence, plan, data.Hash, folder, checkpoints, goesOn ? checkpoints.List() : []);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    public CheckpointInventory Inventory()
    {
        var last = BestCheckpoints.Last(Entries);
        var best = BestCheckpoints.Best(Entries);
        return new CheckpointInventory(
            last is null ? null : CheckpointFolder.Progress(Checkpoints.Manifest(last)),
            last is null ? "" : Checkpoints.PathOf(last),
            best is null ? "" : Checkpoints.PathOf(best));
    }

    /// <summary>Keeps a checkpoint on the disk, whatever is written meanwhile, until the answer is disposed.</summary>
    public IDisposable Lease(CheckpointEntry entry)
    {
        _leased.Add(entry.Name);
        return new Lent(() => _leased.Remove(entry.Name));
    }

    /// <summary>Drops the checkpoints that are neither last nor among the best; one that is being read goes the next time.</summary>
    public async Task PruneAsync(FileThreads files)
    {
        ImmutableArray<CheckpointEntry> superfluous = [.. BestCheckpoints.Superfluous(Entries, Plan.Spec.KeepBest).Where(entry => !_leased.Contains(entry.Name))];
        foreach (var entry in superfluous)
        {
            Entries = Entries.Remove(entry);
            await files.RunAsync(() =>
            {
                Folder.CheckOwned();
                Checkpoints.Remove(entry);
            });
        }
    }

    /// <summary>Breaks off what is being written.</summary>
    public void End() => _ending.Cancel();

    public void Dispose()
    {
        _ending.Cancel();
        Verified?.Dispose();
        Folder.Dispose();
    }

    private sealed class Lent(Action giveBack) : IDisposable
    {
        public void Dispose() => giveBack();
    }
}
