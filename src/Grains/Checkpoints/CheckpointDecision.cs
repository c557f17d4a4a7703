using GenSlmOrleans.Abstractions;
using Orleans.Runtime;
using Orleans.Storage;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Who decides which checkpoints count, and what was decided: written before it becomes true, so that of two only one goes on.</summary>
internal sealed class CheckpointDecision(IPersistentState<CheckpointPointer> pointer, StorePatience patience, TimeProvider time)
{
    private readonly PatientState<CheckpointPointer> _pointer = new(pointer, time);

    /// <summary>Makes this activation, and the fence's driver, the one whose decisions count.</summary>
    /// <returns>False when another activation has written meanwhile.</returns>
    /// <exception cref="SupersededException">A later driver decides.</exception>
    public async Task<bool> TakeOverAsync(Fence fence)
    {
        await _pointer.ReadAsync(patience.OfRun);
        if (_pointer.Value.Generation > fence.Generation)
            throw new SupersededException($"Generation {_pointer.Value.Generation} keeps the checkpoints of run {fence.RunId}; generation {fence.Generation} is over.");
        _pointer.Value.Generation = fence.Generation;
        return await WriteAsync();
    }

    /// <summary>Writes down which checkpoints are last and best.</summary>
    /// <returns>False when another activation has written meanwhile.</returns>
    public Task<bool> PointAtAsync(IReadOnlyCollection<CheckpointEntry> entries)
    {
        _pointer.Value.Last = BestCheckpoints.Last(entries)?.Name ?? "";
        _pointer.Value.Best = BestCheckpoints.Best(entries)?.Name ?? "";
        return WriteAsync();
    }

    private async Task<bool> WriteAsync()
    {
        try
        {
            await _pointer.WriteAsync(patience.OfRun);
            return true;
        }
        catch (InconsistentStateException)
        {
            return false;
        }
    }
}
