using System.Collections.Concurrent;
using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// The copies of partitions that this silo holds. They belong to the silo, not to a grain activation: Orleans may end an
/// activation, or have two for a moment, when another silo dies, and neither must cost a parameter.
/// </summary>
public sealed class PartitionStore(SiloDrain drain)
{
    private readonly ConcurrentDictionary<string, HeldPartition> _held = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, long> _generations = new(StringComparer.Ordinal);

    /// <summary>The copy with a grain's key; null when there is none.</summary>
    internal HeldPartition? Find(string key) => _held.GetValueOrDefault(key);

    /// <summary>Holds a copy in place of one that is there.</summary>
    internal void Hold(string key, HeldPartition partition)
    {
        partition.Holding = drain.Hold();
        HeldPartition? before = null;
        _held.AddOrUpdate(key, partition, (_, known) =>
        {
            before = known;
            return partition;
        });
        before?.Holding?.Dispose();
    }

    /// <summary>Lets go of a copy.</summary>
    internal void Release(string key)
    {
        if (_held.TryRemove(key, out var partition)) partition.Holding?.Dispose();
    }

    /// <summary>Lets go of a run's copies but those of the partitions named.</summary>
    internal void ReleaseExcept(string runId, ImmutableArray<int> kept)
    {
        foreach (var (key, partition) in _held)
            if (key.StartsWith($"{runId}/", StringComparison.Ordinal) && !kept.Contains(partition.Index)) Release(key);
    }

    /// <summary>Refuses what comes from a driver that another has taken over from.</summary>
    /// <exception cref="SupersededException">A later generation has been seen.</exception>
    internal void CheckGeneration(Fence fence)
    {
        long latest = _generations.AddOrUpdate(fence.RunId, fence.Generation, (_, known) => Math.Max(known, fence.Generation));
        if (latest > fence.Generation)
            throw new SupersededException($"The message for run {fence.RunId} is of generation {fence.Generation}; generation {latest} has taken over.");
    }
}

/// <summary>One copy of one partition on this silo.</summary>
internal sealed class HeldPartition(int index, PartitionState state)
{
    /// <summary>Which partition of its run.</summary>
    public int Index { get; } = index;

    public PartitionState State { get; } = state;

    /// <summary>Ends when all values have arrived; fails when their source was lost.</summary>
    public Task Filled { get; set; } = Task.CompletedTask;

    /// <summary>Guards the two below.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The latest application of Adam, which is started once a step.</summary>
    public Task Applying { get; set; } = Task.CompletedTask;

    /// <summary>What is being applied or was applied last.</summary>
    public ApplyRequest? Applied { get; set; }

    public IDisposable? Holding { get; set; }
}
