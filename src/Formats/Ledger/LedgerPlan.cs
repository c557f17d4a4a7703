using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>What a ledger has to say, computed again from the run's settings and data by whoever verifies it.</summary>
/// <param name="Identity">Whose ledger it has to be; its <see cref="LedgerIdentity.After"/> does not count.</param>
/// <param name="TrainingRecords">Records that are trained on.</param>
/// <param name="StepsPerEpoch">Optimizer steps of an epoch.</param>
/// <param name="Window">A step's and a shard's records, in the order they are computed; good until the next call.</param>
public sealed record LedgerPlan(
    LedgerIdentity Identity, ImmutableArray<int> TrainingRecords, int StepsPerEpoch, Func<long, int, ReadOnlyMemory<int>> Window)
{
    /// <summary>A step's epoch, from 0.</summary>
    public int EpochOf(long step) => (int)((step - 1) / StepsPerEpoch);

    /// <summary>The digest that a step's shard has to have.</summary>
    public byte[] Digest(long step, int shard) => StepDigest.OfShard(Window(step, shard).Span);
}

/// <summary>The ledger's head in a checkpoint.</summary>
/// <param name="Checkpoint">The checkpoint's name.</param>
/// <param name="Step">Its step.</param>
/// <param name="Head">64 hexadecimal digits; null where it was written before there were ledgers.</param>
public sealed record CheckpointHead(string Checkpoint, long Step, string? Head);

/// <summary>Something in a ledger that is not as it should be.</summary>
/// <param name="Step">The optimizer step; 0 for the ledger's first line.</param>
/// <param name="Shard">The shard, where it is only one.</param>
/// <param name="Sentence">What was found and what is expected.</param>
public sealed record LedgerFinding(long Step, int? Shard, string Sentence);

/// <summary>How often the training records of an epoch entered a gradient, by the steps that are as they should be.</summary>
/// <param name="Epoch">From 0.</param>
/// <param name="IsComplete">Whether the ledger goes from the epoch's first step to its last, so that none may be missing.</param>
/// <param name="Once">Records seen once.</param>
/// <param name="Never">Records not seen.</param>
/// <param name="Repeated">Records seen more than once.</param>
public sealed record EpochRecords(int Epoch, bool IsComplete, int Once, int Never, int Repeated)
{
    /// <summary>None more than once, and in a complete epoch none missing.</summary>
    public bool IsSound => Repeated == 0 && (Never == 0 || !IsComplete);
}

/// <summary>What the verification of a ledger found.</summary>
public sealed record LedgerReport
{
    /// <summary>The step after which the ledger begins.</summary>
    public long After { get; init; }

    /// <summary>The last step recorded.</summary>
    public long LastStep { get; init; }

    /// <summary>The chain's head after it, 64 hexadecimal digits.</summary>
    public string Head { get; init; } = "";

    /// <summary>Whether a crash cut off the last line; the run drops it when it goes on.</summary>
    public bool EndsInCutLine { get; init; }

    /// <summary>Checkpoints whose head is the ledger's.</summary>
    public int CheckpointsMatched { get; init; }

    public ImmutableArray<EpochRecords> Epochs { get; init; } = [];

    /// <summary>What is wrong, in the ledger's order: the first hundred, see <see cref="FindingCount"/>.</summary>
    public ImmutableArray<LedgerFinding> Findings { get; init; } = [];

    /// <summary>How many things are wrong.</summary>
    public int FindingCount { get; init; }

    /// <summary>
    /// Nothing is wrong, and each training record was seen exactly once in every complete epoch and at most once in one that is not.
    /// </summary>
    public bool RecordsSeenExactlyOnce => FindingCount == 0 && Epochs.All(epoch => epoch.IsSound);
}
