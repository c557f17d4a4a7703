using System.Collections.Concurrent;
using System.Collections.Immutable;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// The replicas on this silo's devices, one a run and device. They belong to the silo, not to a grain activation, which
/// Orleans may end, or double for a moment, when another silo dies.
/// </summary>
public sealed class ReplicaStore(SiloDrain drain)
{
    private readonly ConcurrentDictionary<string, Making> _making = new(StringComparer.Ordinal);

    /// <summary>A replica, from when it is begun.</summary>
    private sealed class Making
    {
        private readonly TaskCompletionSource<HeldReplica> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _begun;

        public HeldReplica? Held { get; private set; }

        public async Task<HeldReplica> MakeAsync(Func<Task<RunReplica>> create, SiloDrain drain)
        {
            if (Interlocked.Exchange(ref _begun, 1) != 0) return await _done.Task;
            try
            {
                Held = new HeldReplica(await create(), drain.Hold());
                _done.SetResult(Held);
            }
            catch (Exception exception)
            {
                _done.SetException(exception);
                throw;
            }

            return Held;
        }

        public Task<HeldReplica> Done => _done.Task;
    }

    /// <summary>The replica of a grain's key; null when there is none, or not yet.</summary>
    internal HeldReplica? Find(string key) => _making.GetValueOrDefault(key)?.Held;

    /// <summary>The replica of a grain's key, made by <paramref name="create"/> when there is none.</summary>
    internal async Task<HeldReplica> GetOrCreateAsync(string key, Func<Task<RunReplica>> create)
    {
        var mine = _making.GetOrAdd(key, _ => new Making());
        try
        {
            return await mine.MakeAsync(create, drain);
        }
        catch
        {
            _making.TryRemove(new KeyValuePair<string, Making>(key, mine));
            throw;
        }
    }

    /// <summary>Ends the work of a run's replicas but those on the devices named.</summary>
    internal async Task ReleaseExceptAsync(string runId, ImmutableArray<string> devices)
    {
        foreach (var key in _making.Keys)
            if (key.StartsWith($"{runId}/", StringComparison.Ordinal) && !devices.Any(device => key.StartsWith($"{runId}/{device}@", StringComparison.Ordinal))) await ReleaseAsync(key);
    }

    /// <summary>Ends the work of a replica and disposes every tensor it has.</summary>
    internal async Task ReleaseAsync(string key)
    {
        if (_making.TryRemove(key, out var making)) await (await making.Done).DisposeAsync();
    }
}

/// <summary>A replica and the window it is at.</summary>
internal sealed class HeldReplica(RunReplica replica, IDisposable holding) : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);

    public RunReplica Replica { get; } = replica;

    /// <summary>The window at hand, or the last one; null before the first.</summary>
    public ShardWindow? Window { get; private set; }

    /// <summary>Micro-batches of shards that have been computed in the step at hand, by shard.</summary>
    public HashSet<int> Computed { get; } = [];

    /// <summary>Shards whose sums have gone to the partitions in the step at hand.</summary>
    public HashSet<int> Contributed { get; } = [];

    /// <summary>Does a piece of work when those before it are done.</summary>
    public async Task<T> InTurnAsync<T>(Func<Task<T>> work)
    {
        await _turn.WaitAsync();
        try
        {
            return await work();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Begins a window; what is remembered of another step is forgotten.</summary>
    public ShardWindow Begin(long step, Abstractions.ShardRange shards)
    {
        if (Window?.Step != step)
        {
            Computed.Clear();
            Contributed.Clear();
        }

        return Window = new ShardWindow(step, shards);
    }

    public async ValueTask DisposeAsync()
    {
        await Replica.DisposeAsync();
        holding.Dispose();
    }
}
