using System.Collections.Immutable;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>A checkpoint on disk, as far as keeping it goes.</summary>
/// <param name="Name">Its folder's name.</param>
/// <param name="Step">Optimizer steps applied to its parameters.</param>
/// <param name="ValidationLoss">Null when it was not validated.</param>
public sealed record CheckpointEntry(string Name, long Step, double? ValidationLoss);

/// <summary>Which checkpoints a run keeps: the <c>keepBest</c> with the lowest validation loss, and the last one.</summary>
public static class BestCheckpoints
{
    /// <summary>The one with the lowest validation loss; of equals the earliest, as Lightning's ModelCheckpoint; null when none was validated.</summary>
    public static CheckpointEntry? Best(IEnumerable<CheckpointEntry> entries) => Ranked(entries).FirstOrDefault();

    /// <summary>The one with the most steps; null when there is none.</summary>
    public static CheckpointEntry? Last(IEnumerable<CheckpointEntry> entries) => entries.MaxBy(entry => entry.Step);

    /// <summary>Those that are neither among the <paramref name="keepBest"/> best (-1: all validated ones) nor the last.</summary>
    public static ImmutableArray<CheckpointEntry> Superfluous(IReadOnlyCollection<CheckpointEntry> entries, int keepBest)
    {
        var kept = Ranked(entries).Take(keepBest < 0 ? int.MaxValue : keepBest).ToHashSet();
        if (Last(entries) is { } last) kept.Add(last);
        return [.. entries.Where(entry => !kept.Contains(entry))];
    }

    // A loss that is not a number is worse than any other, so that a run gone astray keeps its good checkpoints.
    private static IEnumerable<CheckpointEntry> Ranked(IEnumerable<CheckpointEntry> entries) => entries
        .Where(entry => entry.ValidationLoss is not null)
        .OrderBy(entry => double.IsNaN(entry.ValidationLoss!.Value))
        .ThenBy(entry => entry.ValidationLoss!.Value)
        .ThenBy(entry => entry.Step);
}
