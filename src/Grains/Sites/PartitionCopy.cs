using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Parameters;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>One copy of one partition on this silo, and where it is in its life.</summary>
internal sealed class PartitionCopy(int index, PartitionState state, IDisposable room)
{
    /// <summary>Which partition of its run.</summary>
    public int Index { get; } = index;

    public PartitionState State { get; } = state;

    /// <summary>What it has of the silo's memory.</summary>
    public IDisposable Room { get; } = room;

    /// <summary>Ends when all values have arrived; fails when their source was lost.</summary>
    public Task Filled { get; set; } = Task.CompletedTask;

    /// <summary>Guards what is below.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The latest application of Adam, which is started once a step.</summary>
    public Task Applying { get; set; } = Task.CompletedTask;

    /// <summary>What is being applied or was applied last.</summary>
    public ApplyRequest? Applied { get; set; }

    /// <summary>The checkpoint that the values are pinned for, if any.</summary>
    public CheckpointRequest? Pinned { get; private set; }

    /// <summary>What the blocks that are kept for it may take of the silo's memory; null when there was not so much.</summary>
    public IDisposable? Snapshot { get; private set; }

    /// <summary>Whether a step that is applied now would keep blocks that there is no room for.</summary>
    public bool LacksRoom => Pinned is not null && Snapshot is null;

    /// <summary>The values are pinned for a checkpoint, in place of the one before.</summary>
    /// <param name="snapshot">The checkpoint.</param>
    /// <param name="takeRoom">Takes the room for what is kept; null when there is none.</param>
    public void Pin(CheckpointRequest snapshot, Func<IDisposable?> takeRoom)
    {
        Snapshot ??= takeRoom();
        Pinned = snapshot;
    }

    /// <summary>They are not any more.</summary>
    public void Unpin()
    {
        Snapshot?.Dispose();
        (Pinned, Snapshot) = (null, null);
    }
}
