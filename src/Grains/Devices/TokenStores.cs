using System.Collections.Concurrent;
using GenSlmOrleans.Genomics;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>The token stores this silo has open, one a FASTA file, shared by all runs and devices.</summary>
public sealed class TokenStores(string cacheFolder) : IDisposable
{
    private readonly ConcurrentDictionary<(string Path, long SizeBytes, DateTime Written), Lazy<Task<TokenStore>>> _stores = new();
    private readonly ConcurrentBag<TokenStore> _open = [];

    /// <summary>Opens the store of a FASTA file, tokenising it first when this silo has not seen these bytes before.</summary>
    /// <exception cref="FastaException">The file is missing or malformed.</exception>
    public async Task<TokenStore> OpenAsync(string fastaPath)
    {
        var file = new FileInfo(fastaPath);
        var key = (fastaPath, file.Exists ? file.Length : -1, file.Exists ? file.LastWriteTimeUtc : default);
        var store = _stores.GetOrAdd(key, _ => new Lazy<Task<TokenStore>>(() => Task.Run(() => Open(fastaPath))));
        try
        {
            return await store.Value;
        }
        catch
        {
            _stores.TryRemove(KeyValuePair.Create(key, store));
            throw;
        }
    }

    private TokenStore Open(string fastaPath)
    {
        var store = TokenStoreBuilder.OpenOrBuild(fastaPath, cacheFolder);
        _open.Add(store);
        return store;
    }

    public void Dispose()
    {
        foreach (var store in _open) store.Dispose();
    }
}
