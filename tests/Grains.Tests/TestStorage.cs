using System.Collections.Concurrent;
using System.Globalization;
using Orleans.Storage;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Grain state that outlives every silo, with ETags that are checked, as Redis keeps it.</summary>
internal sealed class TestStorage(IServiceProvider services) : IGrainStorage
{
    private static readonly Lock Gate = new();
    private readonly Orleans.Serialization.Serializer _serializer = (Orleans.Serialization.Serializer)services.GetService(typeof(Orleans.Serialization.Serializer))!;

    /// <summary>What is stored, of all clusters: a cluster's own is told by its prefix.</summary>
    private static readonly ConcurrentDictionary<string, (byte[] Bytes, string ETag)> Stored = new(StringComparer.Ordinal);

    public required string Cluster { get; init; }

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        if (Stored.TryGetValue(Key(stateName, grainId), out var found))
            (grainState.State, grainState.ETag, grainState.RecordExists) = (_serializer.Deserialize<T>(found.Bytes), found.ETag, true);
        return Task.CompletedTask;
    }

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var key = Key(stateName, grainId);
        lock (Gate)
        {
            var known = Stored.TryGetValue(key, out var found) ? found.ETag : null;
            if (known != grainState.ETag) throw new InconsistentStateException($"{key} was written by another activation", known, grainState.ETag);
            var next = (int.Parse(known ?? "0", CultureInfo.InvariantCulture) + 1).ToString(CultureInfo.InvariantCulture);
            Stored[key] = (_serializer.SerializeToArray(grainState.State), next);
            (grainState.ETag, grainState.RecordExists) = (next, true);
        }

        return Task.CompletedTask;
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        Stored.TryRemove(Key(stateName, grainId), out _);
        return Task.CompletedTask;
    }

    private string Key(string stateName, GrainId grainId) => $"{Cluster}/{stateName}/{grainId}";
}
