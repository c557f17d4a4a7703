using System.Collections.Concurrent;
using System.Globalization;
using Orleans.Storage;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The store of one test's cluster: it outlives every silo, and can be made to fail as Redis does.</summary>
internal sealed class TestStore
{
    private readonly ConcurrentDictionary<string, (BinaryData Bytes, string ETag)> _stored = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _answersToLose = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    /// <summary>It takes no writes of the state of this name, as a store that is away; null: it takes all.</summary>
    public string? Away { get; set; }

    /// <summary>How many writes were refused because their ETag was of an earlier one.</summary>
    public int Conflicts { get; private set; }

    /// <summary>The next <paramref name="count"/> writes of the state of this name are made, and fail.</summary>
    public void LoseAnswers(string stateName, int count) => _answersToLose[stateName] = count;

    /// <summary>What is stored of a grain's state, as text; null when nothing is.</summary>
    public string? Find(string stateName, string grain) =>
        _stored.Where(entry => entry.Key == $"{stateName}/{grain}").Select(entry => entry.Value.Bytes.ToString()).FirstOrDefault();

    /// <summary>Stores a grain's state as text.</summary>
    public void Put(string stateName, string grain, string text) => _stored[$"{stateName}/{grain}"] = (BinaryData.FromString(text), "1");

    public (BinaryData Bytes, string ETag)? Read(string stateName, string grain) => _stored.TryGetValue($"{stateName}/{grain}", out var found) ? found : null;

    public string Write(string stateName, string grain, BinaryData bytes, string? etag)
    {
        if (Away == stateName) throw new IOException("The store is away.");
        lock (_gate)
        {
            var key = $"{stateName}/{grain}";
            var known = _stored.TryGetValue(key, out var found) ? found.ETag : null;
            if (known != etag)
            {
                Conflicts++;
                throw new InconsistentStateException($"{key} was written by another activation", known, etag);
            }

            var next = (int.Parse(known ?? "0", CultureInfo.InvariantCulture) + 1).ToString(CultureInfo.InvariantCulture);
            _stored[key] = (bytes, next);
            if (_answersToLose.TryGetValue(stateName, out int left) && left > 0)
            {
                _answersToLose[stateName] = left - 1;
                throw new IOException("The answer was lost.");
            }

            return next;
        }
    }

    public void Clear(string stateName, string grain) => _stored.TryRemove($"{stateName}/{grain}", out _);
}

/// <summary>Grain state in a <see cref="TestStore"/>, with ETags that are checked and in the form in which silos store it.</summary>
internal sealed class TestStorage(IServiceProvider services, TestStore store) : IGrainStorage
{
    private readonly GrainStateSerializer _serializer = new(services);

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        if (store.Read(stateName, grainId.Key.ToString()!) is { } found)
            (grainState.State, grainState.ETag, grainState.RecordExists) = (_serializer.Deserialize<T>(found.Bytes)!, found.ETag, true);
        return Task.CompletedTask;
    }

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        grainState.ETag = store.Write(stateName, grainId.Key.ToString()!, _serializer.Serialize(grainState.State), grainState.ETag);
        grainState.RecordExists = true;
        return Task.CompletedTask;
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        store.Clear(stateName, grainId.Key.ToString()!);
        return Task.CompletedTask;
    }
}
