using System.Collections.Immutable;

namespace GenSlmOrleans.Formats;

/// <summary>
/// One pass over a ledger that trusts nothing in it: every digest, every head, the order of the steps and the heads in the
/// checkpoints are compared with what the settings and the data give.
/// </summary>
public sealed class LedgerVerification
{
    private const int FindingsKept = 100;

    private readonly string _path;
    private readonly LedgerPlan _plan;
    private readonly RecordCensus _census;
    private readonly ILookup<long, CheckpointHead> _checkpoints;
    private readonly ImmutableArray<LedgerFinding>.Builder _findings = ImmutableArray.CreateBuilder<LedgerFinding>();
    private int _findingCount;
    private int _matched;
    private long _step;
    private byte[] _head = [];

    // After a line that was altered, the chain goes on from what it says or from what it should say: both are tried, so
    // that one altered line is one finding. Null: from anything.
    private byte[]? _otherHead = [];

    private LedgerVerification(string path, LedgerPlan plan, IEnumerable<CheckpointHead> checkpoints)
    {
        (_path, _plan, _census) = (path, plan, new RecordCensus(plan));
        _checkpoints = checkpoints.ToLookup(checkpoint => checkpoint.Step);
    }

    /// <summary>Verifies the ledger in <paramref name="path"/>; what is wrong with its content is in the report.</summary>
    /// <param name="path">The file.</param>
    /// <param name="plan">What it has to say.</param>
    /// <param name="checkpoints">The heads in the run's checkpoints, read before the ledger.</param>
    /// <exception cref="LedgerException">The file is missing, cannot be read or is not a text of lines.</exception>
    public static LedgerReport Verify(string path, LedgerPlan plan, IEnumerable<CheckpointHead> checkpoints)
    {
        var all = checkpoints.ToArray();
        return new LedgerVerification(path, plan, all).Run(all);
    }

    private LedgerReport Run(CheckpointHead[] checkpoints)
    {
        using var stream = LedgerLines.Open(_path);
        using var lines = LedgerLines.Read(stream, _path).GetEnumerator();
        if (!lines.MoveNext() || !lines.Current.IsWhole || LedgerEntry.ParseFirst(lines.Current.Bytes.Span) is not { } identity)
        {
            Find(0, null, $"{_path} line 1 is not the first line of a ledger.");
            return Report(after: 0, cut: false);
        }

        if (_plan.Identity.Difference(identity) is { } difference)
        {
            Find(0, null, $"{_path} {difference}.");
            return Report(identity.After, cut: false);
        }

        _step = identity.After;
        _head = _otherHead = identity.Head();
        CheckHeads(_step);
        foreach (var checkpoint in checkpoints.Where(checkpoint => checkpoint.Step < identity.After && checkpoint.Head is not null))
            Find(checkpoint.Step, null, $"{_path} begins after step {identity.After}, but the checkpoint {checkpoint.Checkpoint} of step {checkpoint.Step} has a ledger head.");
        bool cut = false;
        while (lines.MoveNext() && !cut)
        {
            if (lines.Current.IsWhole) Check(lines.Current);
            else cut = true;
        }

        foreach (var checkpoint in checkpoints.Where(checkpoint => checkpoint.Step > _step))
            Find(checkpoint.Step, null, $"{_path} ends after step {_step}, but the checkpoint {checkpoint.Checkpoint} is of step {checkpoint.Step}.");
        return Report(identity.After, cut);
    }

    private void Check(LedgerLine line)
    {
        long expected = _step + 1;
        if (LedgerEntry.Parse(line.Bytes.Span) is not { } entry)
        {
            Find(expected, null, $"{_path} line {line.Number} is not a ledger's entry; expected step {expected}.");
            (_step, _otherHead) = (expected, null);
            return;
        }

        // What claims to be far away is not followed there.
        if (entry.Step < 1 || entry.Step > expected + _plan.StepsPerEpoch)
        {
            Find(expected, null, $"{_path} line {line.Number} has step {entry.Step}; expected step {expected}.");
            (_step, _otherHead) = (expected, null);
            return;
        }

        if (entry.Step != expected)
        {
            Find(entry.Step, null, $"{_path} line {line.Number} has step {entry.Step} where step {expected} is expected: {(entry.Step < expected ? "it is repeated or out of place" : "a step is missing or out of place")}.");
            _otherHead = null;
        }

        CheckRecords(line, entry);
        CheckChain(line, entry);
        _step = entry.Step;
        CheckHeads(_step);
    }

    private void CheckRecords(LedgerLine line, LedgerEntry entry)
    {
        int epoch = _plan.EpochOf(entry.Step), shards = _plan.Identity.Shards;
        if (entry.Epoch != epoch) Find(entry.Step, null, $"{_path} line {line.Number}: step {entry.Step} is said to be of epoch {entry.Epoch}; expected {epoch}.");
        if (entry.Shards.Length != shards)
        {
            Find(entry.Step, null, entry.Shards.Length == 0
                ? $"{_path} line {line.Number}: step {entry.Step} was skipped; none of its records entered a gradient."
                : $"{_path} line {line.Number}: step {entry.Step} has {entry.Shards.Length} shards; expected {shards}.");
            return;
        }

        for (int shard = 0; shard < shards; shard++)
        {
            var records = _plan.Window(entry.Step, shard);
            if (StepDigest.OfShard(records.Span).AsSpan().SequenceEqual(entry.Shards[shard]))
            {
                _census.Add(epoch, records.Span);
                continue;
            }

            var other = _findings.Count < FindingsKept ? Whose(entry.Step, entry.Shards[shard]) : "";
            Find(entry.Step, shard, $"{_path} line {line.Number}: step {entry.Step}, shard {shard} did not have the records that the settings and the data give{other}.");
        }
    }

    /// <summary>Which other window of the epoch a digest belongs to.</summary>
    private string Whose(long step, byte[] digest)
    {
        long first = ((long)_plan.EpochOf(step) * _plan.StepsPerEpoch) + 1;
        for (long other = first; other < first + _plan.StepsPerEpoch; other++)
            for (int shard = 0; shard < _plan.Identity.Shards; shard++)
                if (_plan.Digest(other, shard).AsSpan().SequenceEqual(digest)) return $", but those of step {other}, shard {shard}";
        return "";
    }

    private void CheckChain(LedgerLine line, LedgerEntry entry)
    {
        var digest = entry.Digest();
        var expected = StepDigest.NextHead(_head, digest);
        bool follows = _otherHead is null || expected.AsSpan().SequenceEqual(entry.Head)
            || StepDigest.NextHead(_otherHead, digest).AsSpan().SequenceEqual(entry.Head);
        if (!follows) Find(entry.Step, null, $"{_path} line {line.Number}: the chain breaks at step {entry.Step}; its head does not follow from the line before it.");
        (_head, _otherHead) = (entry.Head, follows ? entry.Head : expected);
    }

    private void CheckHeads(long step)
    {
        foreach (var checkpoint in _checkpoints[step])
        {
            if (checkpoint.Head is null) continue;
            if (checkpoint.Head == Convert.ToHexStringLower(_head)) _matched++;
            else Find(step, null, $"The checkpoint {checkpoint.Checkpoint} has the ledger head {MessageText.Quote(checkpoint.Head)} at step {step}; {_path} has {Convert.ToHexStringLower(_head)}.");
        }
    }

    private void Find(long step, int? shard, string sentence)
    {
        if (_findingCount++ < FindingsKept) _findings.Add(new LedgerFinding(step, shard, sentence));
    }

    private LedgerReport Report(long after, bool cut) => new()
    {
        After = after,
        LastStep = _step,
        Head = Convert.ToHexStringLower(_head),
        EndsInCutLine = cut,
        CheckpointsMatched = _matched,
        Epochs = _census.Count(after, _step),
        Findings = _findings.ToImmutable(),
        FindingCount = _findingCount,
    };
}
