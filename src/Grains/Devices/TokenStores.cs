using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>The token stores this silo has open, one for each set of data files, shared by all runs and devices.</summary>
public sealed class TokenStores(string cacheFolder, FileThreads files) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Task<TokenStore>> _stores = new(StringComparer.Ordinal);
    private readonly List<TokenStore> _open = [];

    /// <summary>Opens the store of a run's data files, tokenising them first when this silo has not seen these bytes so prepared before.</summary>
    /// <exception cref="FastaException">A file is missing, malformed, or cannot be prepared.</exception>
    public async Task<TokenStore> OpenAsync(RunSpec spec)
    {
        var sources = RunData.Sources(spec);
        // Even to look at a file may take for ever, where its file system does not answer: on a thread of its own, for nobody else is to wait for it.
        var key = await Task.Factory.StartNew(() => Key(sources), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        Task<TokenStore>? store;
        lock (_lock)
        {
            // What failed is tried again: the file may have been mended.
            if (!_stores.TryGetValue(key, out store) || store.IsFaulted) _stores[key] = store = files.RunLongAsync(() => Open(sources));
        }

        return await store;
    }

    private static string Key(DataSources sources)
    {
        static string Set(IEnumerable<string> paths) => string.Join('\n', paths.Select(path => new FileInfo(path)).Select(file =>
            $"{file.FullName}\t{(file.Exists ? file.Length : -1)}\t{(file.Exists ? file.LastWriteTimeUtc.Ticks : 0)}"));
        return $"{sources.Preparation}\n\n{Set(sources.Main)}\n\n{Set(sources.Validation)}\n\n{Set(sources.Test)}";
    }

    private TokenStore Open(DataSources sources)
    {
        var store = TokenStoreBuilder.OpenOrBuild(sources, cacheFolder);
        lock (_lock) _open.Add(store);
        return store;
    }

    public void Dispose()
    {
        lock (_lock)
            foreach (var store in _open) store.Dispose();
    }
}
