using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>The token stores this silo has open, one a FASTA file, shared by all runs and devices.</summary>
public sealed class TokenStores(string cacheFolder) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string Path, long SizeBytes, DateTime Written), Task<TokenStore>> _stores = [];
    private readonly List<TokenStore> _open = [];

    /// <summary>Opens the store of a FASTA file, tokenising it first when this silo has not seen these bytes before.</summary>
    /// <exception cref="FastaException">The file is missing or malformed.</exception>
    public Task<TokenStore> OpenAsync(string fastaPath)
    {
        var file = new FileInfo(fastaPath);
        var key = (fastaPath, file.Exists ? file.Length : -1, file.Exists ? file.LastWriteTimeUtc : default);
        lock (_lock)
        {
            // What failed is tried again: the file may have been mended.
            if (!_stores.TryGetValue(key, out var store) || store.IsFaulted) _stores[key] = store = Task.Run(() => Open(fastaPath));
            return store;
        }
    }

    private TokenStore Open(string fastaPath)
    {
        var store = TokenStoreBuilder.OpenOrBuild(fastaPath, cacheFolder);
        lock (_lock) _open.Add(store);
        return store;
    }

    public void Dispose()
    {
        lock (_lock)
            foreach (var store in _open) store.Dispose();
    }
}
