using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// What must become of a run in which a bit of a gradient was flipped: it stops, says which shard of which device it was, has
/// exported nothing, and goes on from its last checkpoint when it is resumed.
/// </summary>
internal sealed class FlippedBit(RunFollower run)
{
    /// <summary>Waits until the run has stopped, judges that, and resumes it.</summary>
    /// <param name="silos">The one whose block it was.</param>
    /// <param name="release">Ends the fault.</param>
    /// <param name="cancellation">The run is over.</param>
    public async Task<string?> JudgeAsync(ImmutableArray<LocalSilo> silos, Action release, CancellationToken cancellation)
    {
        release();
        try
        {
            await run.UntilAsync(status => status.State == RunState.Failed, cancellation);
        }
        catch (OperationCanceledException) when (run.Status.State != RunState.Failed)
        {
            // It went on to its end.
        }

        var objection = Objection(run.Status, silos[0].Name, File.Exists(Path.Combine(run.Output, "best_model_state_dict.pth")));
        if (run.Status.State == RunState.Failed) await run.ResumeAsync(cancellation);
        run.GoesOnAfterFailure = false;
        return objection;
    }

    /// <summary>What is wrong with how a run took it; null: nothing.</summary>
    /// <param name="status">Where it stands.</param>
    /// <param name="silo">Whose block it was.</param>
    /// <param name="hasExported">Whether there is an exported file.</param>
    public static string? Objection(RunStatus status, string silo, bool hasExported)
    {
        if (status.State != RunState.Failed) return $"a bit of a block that {silo} sent was flipped, and the run did not stop";
        if (hasExported) return "a bit of a gradient was flipped, and there is an exported file all the same";
        var sentence = status.Failure?.Message ?? "";
        return sentence.Contains("shard", StringComparison.OrdinalIgnoreCase) && sentence.Contains(silo, StringComparison.Ordinal)
            ? null
            : $"a bit of a block that {silo} sent was flipped, and the run, which names neither or one of shard and device, says: {sentence}";
    }
}
