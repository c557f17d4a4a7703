using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// Writes one checkpoint from what the partitions have pinned for it, while they go on: it has its name when all of it is
/// on the disk, or leaves nothing.
/// </summary>
internal sealed class CheckpointSave(OpenedOutput opened, FileThreads files, RunLedger ledger, BlockTransfer transfer)
{
    /// <summary>Writes it.</summary>
    /// <param name="request">What to write.</param>
    /// <param name="decide">Makes it count; throws when others decide now.</param>
    /// <exception cref="OperationCanceledException">The folder has got another driver or was closed.</exception>
    public async Task<CheckpointEntry> WriteAsync(CheckpointRequest request, Func<IReadOnlyCollection<CheckpointEntry>, Task> decide)
    {
        var ending = opened.Ending;
        ending.ThrowIfCancellationRequested();
        var checkpoints = opened.Checkpoints;
        var name = await files.RunAsync(() => checkpoints.FreeName(opened.Plan.Spec.CheckpointName, request.Epoch, request.Fence.Step, request.ValidationLoss));
        var written = new CheckpointEntry(name, request.Fence.Step, request.ValidationLoss);
        var writer = new CheckpointWriter(opened.Plan, files, (kind, block) => transfer.FetchAsync(request.Partitions.Owner(block), request.Fence, kind, block).WaitAsync(ending));
        var folder = await files.RunAsync(() => AtomicFolder.Create(Path.Combine(checkpoints.FullPath, name)));
        try
        {
            await ledger.FlushAsync();
            await writer.WriteAsync(folder, request);
            await decide([.. opened.Entries, written]);
            await FaultPoint.ReachAsync(FaultPhase.Commit, request.Fence.Step);
            await files.RunAsync(() =>
            {
                opened.Folder.CheckOwned();
                ending.ThrowIfCancellationRequested();
                folder.Commit();
            });
            return written;
        }
        finally
        {
            await files.RunAsync(folder.Dispose);
        }
    }
}
