using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>Finds the checkpoint that a run goes on from: the newest of which every part has the hash that its manifest gives.</summary>
/// <param name="Reader">It, open; null when the run has none yet.</param>
/// <param name="Remaining">It and those before it.</param>
/// <param name="Damaged">A sentence on each that was set aside.</param>
internal sealed record NewestWholeCheckpoint(CheckpointReader? Reader, ImmutableArray<CheckpointEntry> Remaining, ImmutableArray<string> Damaged)
{
    /// <summary>Looks at one after the other, newest first; those that are damaged are set aside once a whole one is found.</summary>
    /// <exception cref="RunInputException">There are checkpoints and all are damaged: nothing was moved.</exception>
    public static NewestWholeCheckpoint Find(CheckpointFolder checkpoints, RunPlan plan, Action checkOwned)
    {
        var entries = checkpoints.List(out var unreadable);
        var damaged = new List<DamagedCheckpoint>();
        foreach (var entry in entries.Reverse())
        {
            try
            {
                var reader = CheckpointReader.Open(checkpoints.PathOf(entry), plan);
                checkOwned();
                ImmutableArray<CheckpointEntry> remaining = [.. entries.Take(entries.Length - damaged.Count)];
                return new NewestWholeCheckpoint(reader, remaining, SetAside(checkpoints, [.. damaged, .. unreadable], entry));
            }
            catch (WeightFileException exception)
            {
                damaged.Add(new DamagedCheckpoint(entry.Name, exception.Message));
            }
        }

        damaged.AddRange(unreadable);
        if (damaged.Count == 0) return new NewestWholeCheckpoint(null, [], []);
        var none = damaged.Count == 1 ? "The run's only checkpoint is damaged" : $"All {damaged.Count} checkpoints of the run are damaged";
        throw new RunInputException($"{none}: {damaged[0].Reason} Put back a whole one in {checkpoints.FullPath}, or begin anew in another --output.");
    }

    private static ImmutableArray<string> SetAside(CheckpointFolder checkpoints, DamagedCheckpoint[] damaged, CheckpointEntry used) =>
        [.. damaged.Select(checkpoint => $"{checkpoint.Reason} It is kept in {checkpoints.SetAside(checkpoint.Name)}; the run goes on from {used.Name}, after step {used.Step}.")];
}
