using Microsoft.Win32.SafeHandles;

namespace GenSlmOrleans.Formats;

/// <summary>
/// A run's <c>ledger.jsonl</c>: a first line that says whose it is, then a line for every optimizer step, chained by hashes.
/// A line's bytes follow from the run and the step, and each has its place in the file, so that a step written twice, or by
/// two writers of which one is stale, gives the same file. No lock is held between calls. Not thread-safe.
/// </summary>
public sealed class LedgerFile
{
    public const string FileName = "ledger.jsonl";

    private readonly string _path;
    private byte[] _headBefore;
    private byte[] _head;
    private long _end;

    private LedgerFile(string path, LedgerIdentity identity, Place place)
    {
        _path = path;
        Identity = identity;
        (Step, _headBefore, _head, _end) = place;
    }

    public LedgerIdentity Identity { get; }

    /// <summary>The last step recorded.</summary>
    public long Step { get; private set; }

    /// <summary>The chain's head after <see cref="Step"/>, 64 hexadecimal digits.</summary>
    public string Head => Convert.ToHexStringLower(_head);

    /// <summary>
    /// Opens the ledger of <paramref name="path"/> for a run that goes on after <paramref name="step"/>: checks the chain up to
    /// there and drops what follows, a line that a crash cut off included. Where there is no file, begins one after <paramref name="step"/>.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="identity">Whose ledger it has to be; its <see cref="LedgerIdentity.After"/> does not count.</param>
    /// <param name="step">The checkpoint's step, or 0.</param>
    /// <param name="head">The head in the checkpoint; null where it has none.</param>
    /// <param name="beforeCut">Asked before anything is dropped; throws when the file is no longer the caller's.</param>
    /// <exception cref="LedgerException">The ledger is another run's, damaged or too short, or its head is not the checkpoint's. Nothing was changed.</exception>
    public static LedgerFile Open(string path, LedgerIdentity identity, long step, string? head, Action? beforeCut = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (!File.Exists(path)) return Begin(path, identity with { After = step }, head);
        (var found, var place) = Find(path, identity, step, head);
        var ledger = new LedgerFile(path, found, place);
        ledger.Cut(beforeCut);
        return ledger;
    }

    /// <summary>Goes back to <paramref name="step"/>: the run has gone back to a checkpoint. As <see cref="Open"/>, on this ledger.</summary>
    /// <exception cref="LedgerException">As for <see cref="Open"/>.</exception>
    public void TruncateTo(long step, string? head = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        (_, var place) = Find(_path, Identity, step, head);
        (Step, _headBefore, _head, _end) = place;
        Cut();
    }

    /// <summary>Records a step. Recording the last step again, with the same digests, changes nothing.</summary>
    /// <param name="step">The step after <see cref="Step"/>, or <see cref="Step"/> itself.</param>
    /// <param name="epoch">Its epoch, from 0.</param>
    /// <param name="shards">A digest for each shard, in shard order; none when the step was skipped and no record entered.</param>
    /// <exception cref="LedgerException">Another step was expected, the step is recorded with other records, or the file is not as it was left.</exception>
    /// <exception cref="ArgumentException">There are not as many digests as shards, or one has not 32 bytes.</exception>
    public void Append(long step, int epoch, IReadOnlyList<byte[]> shards)
    {
        if (shards.Count != Identity.Shards && shards.Count != 0)
            throw new ArgumentException($"Step {step} has {shards.Count} digests; expected one for each of {Identity.Shards} shards, or none.", nameof(shards));
        var digest = StepDigest.OfStep(step, shards);
        if (step == Step && StepDigest.NextHead(_headBefore, digest).AsSpan().SequenceEqual(_head)) return;
        if (step == Step && step > Identity.After) throw new LedgerException($"{_path} has step {step} with other records than those that are recorded now.");
        if (step != Step + 1) throw new LedgerException($"{_path} is at step {Step}; expected step {Step + 1} next, not step {step}.");
        var entry = new LedgerEntry(step, epoch, [.. shards], StepDigest.NextHead(_head, digest));
        var line = entry.ToLine();
        Write(line, step);
        (Step, _headBefore, _head, _end) = (step, _head, entry.Head, _end + line.Length);
    }

    /// <summary>Makes what is recorded survive a power cut; call it before the head goes into a checkpoint.</summary>
    /// <exception cref="LedgerException">The file is gone.</exception>
    public void Flush()
    {
        using var file = OpenHandle();
        RandomAccess.FlushToDisk(file);
    }

    private static LedgerFile Begin(string path, LedgerIdentity identity, string? head)
    {
        if (head is not null) throw new LedgerException($"{path} does not exist, but the checkpoint of step {identity.After} has the ledger head {head}; expected the ledger it belongs to.");
        var line = LedgerEntry.FirstLine(identity);
        AtomicFile.Write(path, stream => stream.Write(line));
        return new LedgerFile(path, identity, new Place(identity.After, identity.Head(), identity.Head(), line.Length));
    }

    private static (LedgerIdentity Identity, Place Place) Find(string path, LedgerIdentity identity, long step, string? head)
    {
        using var stream = LedgerLines.Open(path);
        using var lines = LedgerLines.Read(stream, path).GetEnumerator();
        if (!lines.MoveNext() || !lines.Current.IsWhole || LedgerEntry.ParseFirst(lines.Current.Bytes.Span) is not { } found)
            throw new LedgerException($"{path} line 1 is not the first line of a ledger.");
        if (identity.Difference(found) is { } difference) throw new LedgerException($"{path} {difference}.");
        if (step < found.After) throw new LedgerException($"{path} begins after step {found.After}; the run goes on after step {step}.");
        var place = new Place(found.After, found.Head(), found.Head(), lines.Current.End);
        while (place.Step < step)
        {
            if (!lines.MoveNext() || !lines.Current.IsWhole) throw new LedgerException($"{path} ends after step {place.Step}; the run goes on after step {step}.");
            place = Next(path, lines.Current, place, found);
        }

        if (head is not null && head != Convert.ToHexStringLower(place.Head))
            throw new LedgerException($"{path} has the head {Convert.ToHexStringLower(place.Head)} after step {step}; the checkpoint has {MessageText.Quote(head)}.");
        return (found, place);
    }

    private static Place Next(string path, LedgerLine line, Place place, LedgerIdentity identity)
    {
        if (LedgerEntry.Parse(line.Bytes.Span) is not { } entry) throw new LedgerException($"{path} line {line.Number} is not a ledger's entry; expected step {place.Step + 1}.");
        if (entry.Step != place.Step + 1) throw new LedgerException($"{path} line {line.Number} has step {entry.Step}; expected step {place.Step + 1}.");
        if (entry.Shards.Length != identity.Shards && entry.Shards.Length != 0) throw new LedgerException($"{path} line {line.Number} has {entry.Shards.Length} shards; expected {identity.Shards}.");
        if (!StepDigest.NextHead(place.Head, entry.Digest()).AsSpan().SequenceEqual(entry.Head))
            throw new LedgerException($"{path} line {line.Number}: the head does not follow from the line before it; step {entry.Step} was altered.");
        return new Place(entry.Step, place.Head, entry.Head, line.End);
    }

    private void Cut(Action? before = null)
    {
        using var file = OpenHandle();
        if (RandomAccess.GetLength(file) == _end) return;
        before?.Invoke();
        RandomAccess.SetLength(file, _end);
        RandomAccess.FlushToDisk(file);
    }

    private void Write(byte[] line, long step)
    {
        using var file = OpenHandle();
        long length = RandomAccess.GetLength(file);
        if (length < _end) throw new LedgerException($"{_path} has {length} bytes; expected {_end} after step {Step}. Somebody has cut it.");
        // Another writer of this run may have been here, or this one, before the disk was full: the bytes are the same.
        var there = new byte[(int)Math.Min(line.Length, length - _end)];
        for (int known = 0, read; known < there.Length; known += read)
            if ((read = RandomAccess.Read(file, there.AsSpan(known), _end + known)) == 0) throw new LedgerException($"{_path} was cut while it was read.");
        if (!line.AsSpan().StartsWith(there)) throw new LedgerException($"{_path} has something else than step {step} at byte {_end}.");
        if (there.Length < line.Length) RandomAccess.Write(file, line, _end);
    }

    private SafeFileHandle OpenHandle()
    {
        try
        {
            return File.OpenHandle(_path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new LedgerException($"{_path} does not exist any more.", exception);
        }
        catch (UnauthorizedAccessException exception)
        {
            throw new LedgerException($"{_path} may not be written: {exception.Message}", exception);
        }
    }

    /// <summary>Where a ledger is: its last step, the heads before and after it, and the offset behind its line.</summary>
    private readonly record struct Place(long Step, byte[] HeadBefore, byte[] Head, long End);
}
