using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>Where a run stands when its next step begins.</summary>
/// <param name="Progress">What it has reached.</param>
/// <param name="Inventory">What the output folder holds.</param>
/// <param name="Last">The record of the last step, where it is known.</param>
/// <param name="GoesOn">Another driver may have begun the next step.</param>
internal sealed record Standing(TrainingProgress Progress, CheckpointInventory Inventory, StepRecord? Last, bool GoesOn)
{
    /// <summary>The checkpoint that the driver before had not written to its end; an earlier version is pinned for it.</summary>
    public CheckpointRequest? Unsaved { get; init; }
}

/// <summary>
/// Puts a team's run in place: adopts what an earlier driver left in the partitions, or begins from the last checkpoint, the
/// spec's weights or the seed.
/// </summary>
internal sealed class RunStart(RunTeam team, RunRecord record, RunJournal journal, TimeProvider time)
{
    // Silos that die while it begins may be followed by others. To read a large model's weights takes long by itself.
    private static readonly TimeSpan BeginPatience = TimeSpan.FromMinutes(10);
    private const int FewestTries = 10;

    /// <summary>Adopts what is there, or begins.</summary>
    /// <exception cref="RunInputException">Weights or output folder are not as they should be.</exception>
    /// <exception cref="StepAbandonedException">It was stopped while it waited for room or devices.</exception>
    public async Task<Standing> AdoptOrBeginAsync()
    {
        var inventory = await OpenFolderAsync();
        if (record.Partitions is { } known && await team.Partitions.AdoptAsync(team.FenceAt(0), known) is { } left && ProgressAfter(left, inventory) is { } progress)
        {
            try
            {
                return await AdoptAsync(progress, left, inventory);
            }
            catch (RunInputException exception)
            {
                // The ledger lacks steps that the partitions have seen: a disk was lost with its machine.
                journal.Warn(exception.Message);
                await team.CountGenerationAsync();
                inventory = await OpenFolderAsync();
            }
        }

        return await BeginPatientlyAsync(inventory, first: true);
    }

    /// <summary>Goes back to the last durable checkpoint, with new partitions on the silos that are left.</summary>
    public async Task<Standing> FallBackAsync()
    {
        await team.CountGenerationAsync();
        return await BeginPatientlyAsync(await OpenFolderAsync(), first: false);
    }

    // Nothing is cut before it is known where the run goes on.
    private Task<CheckpointInventory> OpenFolderAsync() => team.Keeper.OpenAsync(team.FenceAt(long.MaxValue), team.Data);

    private async Task<Standing> AdoptAsync(TrainingProgress progress, AdoptedPartitions left, CheckpointInventory inventory)
    {
        journal.Replanned($"taken over after step {progress.Step}; nothing is done again");
        await team.Keeper.CutAsync(team.FenceAt(progress.Step), left.Record);
        // Those that hold something of the run have room for it; others are looked at as they come.
        team.Pool.FindRoom(team.Memory);
        await team.Pool.UpdateAsync();
        await team.Pool.PreparedAsync(team.Plan.Spec.MinDevices, () => team.IsToStop);
        await team.TidyAsync();
        var unsaved = Unsaved(left, inventory);
        if (unsaved is null && left.Pinned is { } written) await team.Partitions.UnpinAsync(team.FenceAt(written.Fence.Step));
        return new Standing(progress, inventory, left.Record, GoesOn: true) { Unsaved = unsaved };
    }

    /// <summary>Begins from the last checkpoint or from scratch, again and again while silos die meanwhile.</summary>
    private async Task<Standing> BeginPatientlyAsync(CheckpointInventory inventory, bool first)
    {
        var backoff = new Backoff(time, BeginPatience, FewestTries);
        bool isTold = false;
        while (true)
        {
            try
            {
                return await BeginAsync(inventory, first);
            }
            catch (NoRoomException exception)
            {
                // Nobody else's memory is kept meanwhile, and other silos may have room. A run that was never under way is refused.
                await team.LetGoOfPartitionsAsync();
                if (!team.Pool.Holders.IsEmpty) continue;
                if (record.Generation == 1) throw new RunInputException(exception.Message);
                await team.WaitForHoldersAsync($"waiting for memory: {exception.Message}", isTold);
                isTold = true;
            }
            catch (PartitionsLostException exception)
            {
                journal.Warn(exception.Message);
                if (!await backoff.PauseAsync()) throw new RunFailedException($"The run could not begin, tried {backoff.Tries} times: {exception.Message}. It resumes from its last checkpoint.");
                await team.CountGenerationAsync();
                inventory = await OpenFolderAsync();
            }
        }
    }

    private async Task<Standing> BeginAsync(CheckpointInventory inventory, bool first)
    {
        // Whatever it has to wait for now, or if it is stopped meanwhile: this is where it stands.
        journal.Resumed(team, inventory.Progress ?? new TrainingProgress(), inventory);
        await team.WaitForRoomAsync();
        await team.Pool.UpdateAsync();
        if (first) await team.Pool.PreparedAsync(team.Plan.Spec.MinDevices, () => team.IsToStop);
        await team.WaitForDevicesAsync(team.Plan.Spec.MinDevices);
        if (team.IsToStop) throw new StepAbandonedException();
        inventory = await team.Keeper.VerifyAsync(team.FenceAt(0));
        var progress = inventory.Progress ?? new TrainingProgress();
        var fence = team.FenceAt(progress.Step);
        bool fromSeed = inventory.Progress is null && team.Plan.Spec.Weights.Length == 0;
        var silos = team.Pool.Holders.Select(silo => silo.Name).ToArray();
        if (silos.Length == 0) throw new PartitionsLostException("no silo is left that could hold the parameters");
        // What is left of the copies before is of no use any more, and those to come need its room.
        await team.LetGoOfPartitionsAsync();
        await team.Partitions.CreateAsync(fence, PartitionPlacement.Empty(team.Plan.Layout), silos, fromSeed ? PartitionSource.Seed : PartitionSource.Put, null);
        try
        {
            if (!fromSeed) await team.Keeper.RestoreAsync(fence, team.Partitions.Map);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception) || exception is PartitionUnreachableException)
        {
            throw new PartitionsLostException($"a silo was lost while the parameters were restored: {exception.Message}");
        }

        await team.Keeper.CutAsync(fence, null);
        await team.Partitions.HoldAsync();
        await team.TidyAsync();
        return new Standing(progress, inventory, null, GoesOn: false);
    }

    // A checkpoint knows of the validation that followed its step, a partition only of the step.
    private static TrainingProgress? ProgressAfter(AdoptedPartitions left, CheckpointInventory inventory) =>
        // What a checkpoint was to be written from is lost: only from the one before is it made again.
        Unsaved(left, inventory) is not null && !left.IsPinWhole ? null
        : inventory.Progress?.Step == left.Step ? inventory.Progress
        : left.Record?.Progress.Step == left.Step ? left.Record.Progress
        : left.Step == 0 ? new TrainingProgress()
        : null;

    // Of a step that the partitions are still at, the checkpoint is asked for anew; checkpoints are written in order.
    private static CheckpointRequest? Unsaved(AdoptedPartitions left, CheckpointInventory inventory) =>
        left.Pinned is { } pinned && pinned.Fence.Step < left.Step && !(inventory.Progress?.Step >= pinned.Fence.Step) ? pinned : null;
}
