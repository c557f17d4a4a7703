namespace GenSlmOrleans.Genomics;

/// <summary>Keeps token stores in a cache folder, each named by the hash of its data and what was done to them.</summary>
public static class TokenStoreBuilder
{
    private const string Extension = ".tokens";
    private const string UnfinishedPrefix = ".building-";

    // Nobody writes for a day without a pause of less: what is older was left by a process that was killed.
    private static readonly TimeSpan LeftoverAge = TimeSpan.FromDays(1);

    /// <summary>Opens the token store of one file, taken as it is; see <see cref="OpenOrBuild(DataSources, string, CancellationToken)"/>.</summary>
    /// <exception cref="FastaException">The file is missing or malformed; nothing is left in the cache.</exception>
    public static TokenStore OpenOrBuild(string path, string cacheFolder, CancellationToken ct = default) => OpenOrBuild(DataSources.Of(path), cacheFolder, ct);

    /// <summary>
    /// Opens the token store of data files, building it first where the cache has none or a damaged one. Several processes
    /// may do so at once: each builds under a name of its own, and a rename makes the result appear whole.
    /// </summary>
    /// <exception cref="FastaException">A file is missing, malformed, or cannot be prepared; nothing is left in the cache.</exception>
    public static TokenStore OpenOrBuild(DataSources sources, string cacheFolder, CancellationToken ct = default)
    {
        Directory.CreateDirectory(cacheFolder);
        string PathOf(UInt128 hash) => Path.Combine(cacheFolder, $"{hash:x32}{sources.Preparation.Mark}{Extension}");
        // An empty cache needs no look for the hash: building finds it on the way.
        if (Directory.EnumerateFiles(cacheFolder, "*" + Extension).Any() && TryOpen(PathOf(sources.Hash(ct))) is { } known) return known;
        RemoveLeftovers(cacheFolder);
        var unfinished = Path.Combine(cacheFolder, $"{UnfinishedPrefix}{Guid.NewGuid():n}");
        try
        {
            return Publish(unfinished, PathOf(TokenStoreWriter.Write(sources, unfinished, ct)));
        }
        finally
        {
            File.Delete(unfinished);
        }
    }

    private static TokenStore Publish(string unfinished, string path)
    {
        // Another builder may have been faster; its store is as good.
        if (TryOpen(path) is { } known) return known;
        try
        {
            File.Move(unfinished, path, overwrite: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException && File.Exists(path))
        {
            // Windows replaces no file that is open, which the faster builder's is by now; whether it is sound is seen below.
        }

        return TokenStore.Open(path);
    }

    private static TokenStore? TryOpen(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            return TokenStore.Open(path);
        }
        catch (FastaException)
        {
            // Damaged, or of another version: it is only a cache.
            return null;
        }
    }

    private static void RemoveLeftovers(string cacheFolder)
    {
        var limit = TimeProvider.System.GetUtcNow().UtcDateTime - LeftoverAge;
        foreach (var file in Directory.EnumerateFiles(cacheFolder, UnfinishedPrefix + "*"))
        {
            try
            {
                if (File.GetLastWriteTimeUtc(file) < limit) File.Delete(file);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It only takes up space; another process may just be removing it.
            }
        }
    }
}
