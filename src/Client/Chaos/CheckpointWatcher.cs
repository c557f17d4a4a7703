using System.Collections.Concurrent;
using GenSlmOrleans.Formats;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// Looks at a run's checkpoints all the time, as somebody might who copies the last one away: each that has a name has to
/// be whole, and once there was one there always has to be one.
/// </summary>
internal sealed class CheckpointWatcher(string output)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(10);

    // A listing is no snapshot: a name that comes while another goes may be in none of them.
    private const int Looks = 3;

    private readonly ConcurrentDictionary<string, byte> _objections = new(StringComparer.Ordinal);
    private bool _hadOne;

    private string Folder => Path.Combine(output, "checkpoints");

    /// <summary>How often it has looked.</summary>
    public long Count { get; private set; }

    /// <summary>What was not as it must be, a sentence each.</summary>
    public IEnumerable<string> Objections => _objections.Keys;

    /// <summary>Looks until cancelled.</summary>
    public async Task WatchAsync(CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            await Task.Run(Look, CancellationToken.None);
            await Task.WhenAny(Task.Delay(Interval, cancellation));
        }
    }

    /// <summary>Looks once.</summary>
    public void Look()
    {
        Count++;
        bool any = Enumerable.Range(0, Looks).Any(_ => Names().Length > 0);
        if (_hadOne && !any) _objections.TryAdd("there was a moment without a whole checkpoint", 0);
        _hadOne |= any;
        foreach (var folder in Names())
            if (Objection(folder, withHashes: false) is { } objection && Directory.Exists(folder)) _objections.TryAdd(objection, 0);
    }

    /// <summary>What is not as it must be in the checkpoints that are left at the end, hashes included.</summary>
    public IEnumerable<string> Final() => Names().Select(folder => Objection(folder, withHashes: true)).OfType<string>();

    // What is being written or removed has a hidden name.
    private string[] Names()
    {
        try
        {
            return [.. Directory.GetDirectories(Folder).Where(folder => !Path.GetFileName(folder).StartsWith('.'))];
        }
        catch (DirectoryNotFoundException)
        {
            return [];
        }
    }

    private static string? Objection(string folder, bool withHashes)
    {
        try
        {
            foreach (var part in CheckpointManifest.Read(folder).Parts)
            {
                var file = new FileInfo(Path.Combine(folder, part.File));
                if (!file.Exists || file.Length != part.SizeBytes) return $"{folder} is not whole: {part.File} has {(file.Exists ? file.Length : 0)} of {part.SizeBytes} bytes";
                if (withHashes && HashOf(file) is var hash && hash != part.Xxh3) return $"{file.FullName} has hash {hash}; its manifest says {part.Xxh3}";
            }

            return null;
        }
        catch (Exception exception) when (exception is WeightFileException or IOException)
        {
            return $"{folder} is not whole: {exception.Message}";
        }
    }

    private static string HashOf(FileInfo file)
    {
        using var stream = file.OpenRead();
        using var hashing = new HashingStream(Stream.Null);
        stream.CopyTo(hashing);
        return hashing.HashText;
    }
}
