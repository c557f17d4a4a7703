using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// The checkpoints that a driver has written while its run trains on. One is written at a time, from a version that the
/// partitions' holders have pinned; who asks for the next before it is written waits, so that none is left out and at most one
/// version is kept. Touched on the run grain's scheduler only.
/// </summary>
internal sealed class RunCheckpoints(RunTeam team, RunJournal journal, TimeProvider time)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private CheckpointRequest? _writing;
    private Task _written = Task.CompletedTask;
    private bool _isWaitedFor;
    private bool _isWaitTold;

    /// <summary>What the output folder holds.</summary>
    public CheckpointInventory Inventory { get; private set; } = new(null, "", "");

    /// <summary>Whether the parameters after a step are in the last checkpoint, or on their way into the next.</summary>
    public bool Has(long step) => Inventory.Progress?.Step == step || _writing?.Fence.Step == step;

    /// <summary>Goes on from where the run stands; a checkpoint that the driver before had begun is written to its end.</summary>
    public void StandAt(Standing standing)
    {
        (Inventory, _writing, _written) = (standing.Inventory, null, Task.CompletedTask);
        if (standing.Unsaved is { } unsaved) Begin(unsaved with { Fence = team.FenceAt(unsaved.Fence.Step), Partitions = team.Partitions.Whole });
    }

    /// <summary>
    /// Begins a checkpoint; comes back when the version is pinned that it is written from, or, where a silo has no memory to keep that
    /// version beside the next, when it is written.
    /// </summary>
    public async Task SaveAsync(CheckpointRequest request)
    {
        await WrittenAsync(() => false);
        var lacking = await team.Partitions.PinAsync(request);
        Begin(request with { Partitions = team.Partitions.Whole });
        if (lacking.IsEmpty) return;
        if (!_isWaitTold) journal.Note($"training waits while checkpoints are written: {string.Join(", ", lacking)} {(lacking.Length == 1 ? "has" : "have")} no memory to keep what goes into them");
        _isWaitTold = true;
        await WrittenAsync(() => team.IsToStop);
    }

    /// <summary>Waits for the checkpoint that is being written.</summary>
    /// <param name="givesUp">Asked from time to time; when it says so, the checkpoint is left to itself.</param>
    /// <exception cref="PartitionUnreachableException">What it was written from is lost.</exception>
    public async Task WrittenAsync(Func<bool> givesUp)
    {
        _isWaitedFor = true;
        try
        {
            while (!_written.IsCompleted && !givesUp()) await Task.WhenAny(_written, Task.Delay(Pause, time));
        }
        finally
        {
            _isWaitedFor = false;
        }

        await CheckAsync();
    }

    /// <summary>Throws what kept the last checkpoint from being written, if anything did.</summary>
    public Task CheckAsync() => _written.IsCompleted ? _written : Task.CompletedTask;

    /// <summary>Waits for the checkpoint of a run that has failed: its parameters are as sound as before.</summary>
#pragma warning disable CA1031 // How the run ended is known; this is told no more.
    public async Task FinishAsync(Func<bool> givesUp)
    {
        try
        {
            await WrittenAsync(givesUp);
        }
        catch (Exception)
        {
            // The checkpoint before it is whole.
        }
    }
#pragma warning restore CA1031

    private void Begin(CheckpointRequest request)
    {
        _writing = request;
        _written = WriteAsync(request);
    }

    private async Task WriteAsync(CheckpointRequest request)
    {
        var inventory = await team.Keeper.SaveAsync(request, () => _isWaitedFor);
        // The run may have gone back and begun anew meanwhile.
        if (_writing != request) return;
        (Inventory, _writing) = (inventory, null);
        await team.Partitions.UnpinAsync(request.Fence);
    }
}
