using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// A run's ledger, as the grain keeps it that has the output folder. A step that was applied is appended; whoever takes over after
/// a failure may append the last one again, and truncates to the step that the parameters have gone back to. One call at a
/// time; file work is done on the silo's threads for it, never on a grain's scheduler.
/// </summary>
public sealed class RunLedger
{
    private readonly FileThreads _files;
    private readonly LedgerFile _file;
    private readonly LedgerPlan _plan;
    private readonly StepRecords _records;
    private readonly string _path;
    private readonly string _output;

    private RunLedger(FileThreads files, LedgerFile file, LedgerPlan plan, StepRecords records, string path, string output)
    {
        (_files, _file, _plan, _records, _path, _output) = (files, file, plan, records, path, output);
        Head = file.Head;
    }

    /// <summary>The chain's head after the last step appended, 64 hexadecimal digits: what a checkpoint of that step carries.</summary>
    public string Head { get; private set; }

    /// <summary>The last step appended.</summary>
    public long Step => _file.Step;

    /// <summary>Opens the ledger of a run's output folder, or begins one; drops what follows <paramref name="step"/>.</summary>
    /// <param name="files">Where its files are read and written.</param>
    /// <param name="plan">What follows from the run's spec and data.</param>
    /// <param name="dataHash">The data's hash.</param>
    /// <param name="step">The step that the run goes on after, 0 at its beginning.</param>
    /// <param name="head">The head in that step's checkpoint; null at the beginning and for checkpoints that have none.</param>
    /// <param name="beforeCut">Throws when the ledger is no longer ours to cut.</param>
    /// <exception cref="RunInputException">The ledger in the folder is another run's, damaged, or does not match the checkpoint.</exception>
    public static async Task<RunLedger> OpenAsync(FileThreads files, RunPlan plan, string dataHash, long step, string? head, Action? beforeCut = null)
    {
        var output = plan.Spec.Output;
        var path = Path.Combine(output, LedgerFile.FileName);
        var records = new StepRecords(plan.Data);
        var expected = new LedgerPlan(Identity(plan, dataHash), plan.Split.Training, plan.Windows.StepsPerEpoch, records.Window);
        var file = await OnFileThreadAsync(files.RunLongAsync<LedgerFile>, output, () => LedgerFile.Open(path, expected.Identity, step, head, beforeCut));
        return new RunLedger(files, file, expected, records, path, output);
    }

    /// <summary>
    /// Records what the shards computed for a step, after comparing it with what they had to compute. Repeating the last step
    /// changes nothing.
    /// </summary>
    /// <param name="step">The step after <see cref="Step"/>, or that step again.</param>
    /// <param name="shardDigests"><see cref="ShardTotals.RecordsDigest"/> of every shard, in shard order; none when the step was skipped.</param>
    /// <exception cref="RunFailedException">A shard computed other records than it had to; nothing was recorded.</exception>
    /// <exception cref="RunInputException">The file is not as it was left.</exception>
    /// <exception cref="IOException">The disk is full; the step can be appended again.</exception>
    public async Task AppendAsync(long step, IReadOnlyList<byte[]> shardDigests)
    {
        await OnFileThreadAsync(_files.RunAsync<int>, _output, () =>
        {
            if (Objection(Expected(_records, step, shardDigests.Count), step, shardDigests) is { } objection) throw new RunFailedException($"{objection} It was not recorded.");
            _file.Append(step, _plan.EpochOf(step), shardDigests);
            return 0;
        });
        Head = _file.Head;
    }

    /// <summary>What the shards have to compute in a step: <see cref="ShardTotals.RecordsDigest"/> of each, in shard order.</summary>
    /// <param name="records">Of the run's plan.</param>
    /// <param name="step">The step.</param>
    /// <param name="shards">How many shards there are.</param>
    public static byte[][] Expected(StepRecords records, long step, int shards) =>
        [.. Enumerable.Range(0, shards).Select(shard => StepDigest.OfShard(records.Window(step, shard).Span))];

    /// <summary>
    /// Whether what the shards computed is what they had to compute: null, or a sentence that names step and shard. For the driver
    /// to ask before a step is applied.
    /// </summary>
    /// <param name="expected">What <see cref="Expected"/> gives.</param>
    /// <param name="step">The step.</param>
    /// <param name="shardDigests"><see cref="ShardTotals.RecordsDigest"/> of the shards, in shard order; none when the step was skipped.</param>
    public static string? Objection(byte[][] expected, long step, IReadOnlyList<byte[]> shardDigests)
    {
        for (int shard = 0; shard < shardDigests.Count; shard++)
            if (!expected[shard].AsSpan().SequenceEqual(shardDigests[shard]))
                return $"Step {step}: shard {shard} computed other records than the run's settings and data give.";
        return null;
    }

    /// <summary>Goes back to <paramref name="step"/>, to which the parameters have gone back.</summary>
    /// <param name="step">At most <see cref="Step"/>.</param>
    /// <param name="head">The head in that step's checkpoint, where there is one.</param>
    /// <exception cref="RunInputException">The ledger is damaged, ends before, or does not match the checkpoint.</exception>
    public async Task TruncateToAsync(long step, string? head = null)
    {
        await OnFileThreadAsync(_files.RunAsync<int>, _output, () =>
        {
            _file.TruncateTo(step, head);
            return 0;
        });
        Head = _file.Head;
    }

    /// <summary>Makes every step appended so far survive a power cut; call it before a checkpoint with <see cref="Head"/> gets its name.</summary>
    /// <exception cref="RunInputException">The file is gone.</exception>
    public Task FlushAsync() => OnFileThreadAsync(_files.RunAsync<int>, _output, () =>
    {
        _file.Flush();
        return 0;
    });

    /// <summary>
    /// Reads the whole ledger again, trusting nothing in it, and says whether every training record was seen exactly once in every
    /// complete epoch and at most once in one that is not; null when all is well but no epoch is complete.
    /// </summary>
    /// <exception cref="RunInputException">The file is gone or cannot be read.</exception>
    public Task<bool?> RecordsSeenExactlyOnceAsync() => OnFileThreadAsync(_files.RunLongAsync<bool?>, _output, bool? () =>
    {
        var report = LedgerVerification.Verify(_path, _plan, []);
        return report.RecordsSeenExactlyOnce && !report.Epochs.Any(epoch => epoch.IsComplete) ? null : report.RecordsSeenExactlyOnce;
    });

    private static LedgerIdentity Identity(RunPlan plan, string dataHash) => new()
    {
        DataHash = dataHash,
        Records = plan.Data.Records.Total,
        Seed = plan.Spec.Seed,
        ValFraction = plan.Spec.ValFraction,
        Shuffle = plan.Spec.Shuffle,
        Shards = plan.Spec.Shards,
        BatchSize = plan.Spec.BatchSize,
        AccumulationSteps = plan.Spec.AccumulationSteps,
        Lengths = plan.Data.Buckets?.LengthsHash,
    };

    private static async Task<T> OnFileThreadAsync<T>(Func<Func<T>, Task<T>> run, string output, Func<T> work)
    {
        try
        {
            return await run(work);
        }
        catch (LedgerException exception)
        {
            throw new RunInputException($"{exception.Message} 'genslm verify {output}' says more.");
        }
    }
}
