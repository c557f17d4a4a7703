using System.Collections.Concurrent;
using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Parameters;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>What a site takes from its silo.</summary>
public sealed record SiteResources(SiloDevices Devices, TokenStores Stores, ComputeThreads Compute, SiloMemory Memory, SiloDrain Drain, TimeProvider Time);

/// <summary>
/// What this silo has of one run: replicas on its devices, copies of partitions, the model's plan. It belongs to the silo and
/// not to a grain activation, which Orleans may end, or double for a moment, when another silo dies. Opened and closed as one
/// (<see cref="SiteStore"/>), so that nothing of a run outlives it here.
/// </summary>
internal sealed class Site
{
    private static readonly TimeSpan TurnPatience = TimeSpan.FromSeconds(30);

    private readonly SiteResources _silo;
    private readonly string _siloName;
    private readonly IDisposable _holding;
    private readonly ConcurrentDictionary<int, PartitionCopy> _partitions = new();
    private readonly ConcurrentDictionary<string, Making> _devices = new(StringComparer.Ordinal);
    private readonly Turn _turn = new();
    private readonly Turn _openingData = new();
    private readonly Turn _filling = new();
    private readonly Turn _following = new();
    private (RunPlan Plan, TokenStore Store)? _data;
    private volatile bool _closed;

    /// <summary>A device's replica, from when it is begun.</summary>
    private sealed class Making
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _begun;

        /// <summary>Completes when the replica is there; fails when it could not be made.</summary>
        public Task Done => _done.Task;

        /// <summary>Null until it is there.</summary>
        public SiteDevice? Device { get; private set; }

        /// <summary>Makes it, when nobody else does already.</summary>
        public async Task<SiteDevice> MakeAsync(Func<Task<SiteDevice>> make)
        {
            if (Interlocked.Exchange(ref _begun, 1) == 0)
            {
                try
                {
                    Device = await make();
                    _done.SetResult();
                }
                catch (Exception exception)
                {
                    _done.SetException(exception);
                }
            }

            await _done.Task;
            return Device!;
        }
    }

    public Site(RunContext context, string siloName, SiteResources silo)
    {
        (Context, _siloName, _silo) = (context, siloName, silo);
        Model = new ModelPlan(context.Spec, HuggingFaceConfig.Parse(context.ModelConfig));
        _holding = silo.Drain.Hold();
    }

    public RunContext Context { get; }

    /// <summary>What of the run follows from its spec alone.</summary>
    public ModelPlan Model { get; }

    /// <summary>The window at hand, or the last one; null before the first.</summary>
    public ShardWindow? Window { get; private set; }

    /// <summary>Shards that have been computed in the step at hand.</summary>
    public HashSet<int> Computed { get; } = [];

    /// <summary>Shards whose sums have gone to the partitions in the step at hand.</summary>
    public HashSet<int> Contributed { get; } = [];

    /// <summary>Whether all copies of partitions that it is to hold are whole.</summary>
    public bool IsFilled => _partitions.Values.All(copy => copy.Filled.IsCompletedSuccessfully);

    /// <summary>The copy of a partition; null when there is none.</summary>
    public PartitionCopy? Partition(int index) => _partitions.GetValueOrDefault(index);

    /// <summary>Holds a copy, in place of one that is there.</summary>
    /// <exception cref="StaleMessageException">The site has been closed meanwhile.</exception>
    public void Hold(PartitionCopy copy)
    {
        PartitionCopy? before = null;
        _partitions.AddOrUpdate(copy.Index, copy, (_, known) =>
        {
            before = known;
            return copy;
        });
        if (before is not null) _ = EndAsync(before);
        if (!_closed) return;
        _ = ReleaseAsync(copy.Index);
        throw Closed();
    }

    /// <summary>
    /// Fills a copy when those before it are filled: a step's sums that are on their way to and from this silo meanwhile share it with
    /// one of them, and what is filled first can be counted on first.
    /// </summary>
    public Task FillAsync(Func<Task> fill) => InTurnAsync(_filling, fill);

    /// <summary>Has a copy take a step's gradient from another when those before it have.</summary>
    public Task FollowAsync(Func<Task> take) => InTurnAsync(_following, take);

    private static Task InTurnAsync(Turn turn, Func<Task> work) => turn.TakeAsync(async () =>
    {
        await work();
        return true;
    });

    /// <summary>Lets go of a copy.</summary>
    public Task ReleaseAsync(int index) => _partitions.TryRemove(index, out var copy) ? EndAsync(copy) : Task.CompletedTask;

    /// <summary>The device of a name with its replica, made when there is none.</summary>
    /// <exception cref="StaleMessageException">The site has been closed meanwhile.</exception>
    public async Task PrepareAsync(string name)
    {
        var making = _devices.GetOrAdd(name, _ => new Making());
        try
        {
            var device = await making.MakeAsync(() => MakeAsync(name));
            if (device.IsStuck) throw new DevicesStuckException(device.Replica.IsPoisoned
                ? $"{device.Replica.Origin} computes nothing any more; its silo leaves"
                : $"{device.Replica.Origin} has made no progress for {device.Replica.SilentFor.TotalSeconds:F0} s");
        }
        catch (Exception exception) when (exception is not DevicesStuckException)
        {
            _devices.TryRemove(new KeyValuePair<string, Making>(name, making));
            throw;
        }

        if (!_closed) return;
        await ReleaseAsync(name);
        throw Closed();
    }

    /// <summary>The device of a name; null when it has no replica, or not yet.</summary>
    public SiteDevice? Device(string name) => _devices.GetValueOrDefault(name)?.Device;

    /// <summary>Ends the work of a device and disposes every tensor it has.</summary>
    public Task ReleaseAsync(string name) => ReleaseAsync(name, Task.Delay(TurnPatience, _silo.Time));

    /// <summary>After an error of its own a device's replica is not to be trusted: the next preparation makes and proves another.</summary>
    public void ReleaseAfter(Exception exception, SiteDevice device)
    {
        if (!CallFailure.IsLoss(exception) && CallFailure.MayBeOfTheSilo(exception)) _ = ReleaseAsync(device.Replica.DeviceName);
    }

    private async Task ReleaseAsync(string name, Task patience)
    {
        if (!_devices.TryRemove(name, out var making)) return;
        // A device that hangs gives back what it has as soon as it does not; nobody waits for that.
        await Task.WhenAny(EndAsync(making), patience);
    }

    private static async Task EndAsync(Making making)
    {
        // What could not be made holds nothing.
        await Task.WhenAny(making.Done);
        if (making.Device is { } device) await device.CloseAsync();
    }

    /// <summary>The replicas that take parameters as they are applied: those that have ended their window of the step and wait for the next.</summary>
    public IReadOnlyList<IParameterMirror> Mirrors(long step) => Window is { IsOver: true } window && window.Step == step
        ? [.. _devices.Values.Select(making => making.Device).OfType<SiteDevice>().Where(device => !device.IsStuck).Select(device => device.Replica.Blocks).Where(blocks => blocks.IsShared)]
        : [];

    /// <summary>Those of the named devices that have a replica and make progress.</summary>
    public ImmutableArray<SiteDevice> Working(ImmutableArray<string> names) =>
        [.. names.Select(Device).OfType<SiteDevice>().Where(device => !device.IsStuck)];

    /// <summary>Does a piece of work when those before it are done.</summary>
    public Task<T> InTurnAsync<T>(Func<Task<T>> work) => _turn.TakeAsync(() => _closed ? throw Closed() : work());

    /// <summary>Begins a window; what is remembered of another step is forgotten.</summary>
    public ShardWindow Begin(long step, ShardRange shards)
    {
        if (Window?.Step != step)
        {
            Computed.Clear();
            Contributed.Clear();
        }

        return Window = new ShardWindow(step, shards);
    }

    /// <summary>Lets go of all but what is named.</summary>
    public Task KeepAsync(ImmutableArray<int> partitions, ImmutableArray<string> devices) =>
        KeepAsync(partitions, devices, Task.Delay(TurnPatience, _silo.Time));

    private async Task KeepAsync(ImmutableArray<int> partitions, ImmutableArray<string> devices, Task patience)
    {
        await Task.WhenAll(_partitions.Keys.Except(partitions).Select(ReleaseAsync));
        await Task.WhenAll(_devices.Keys.Except(devices).Select(device => ReleaseAsync(device, patience)));
    }

    /// <summary>Breaks off what is at hand and lets go of everything. Called once, by the store.</summary>
    public async Task CloseAsync()
    {
        _closed = true;
        Window?.Abandon();
        // What is under way ends after its micro-batch; what hangs, hangs without us, and is waited for once.
        var patience = Task.Delay(TurnPatience, _silo.Time);
        await Task.WhenAny(_turn.Done, patience);
        try
        {
            await KeepAsync([], [], patience);
        }
        finally
        {
            // A device that is broken may fail at giving its memory back: it goes with the process, which is free to leave.
            _holding.Dispose();
        }
    }

    private async Task<SiteDevice> MakeAsync(string name)
    {
        var (plan, store) = await _openingData.TakeAsync(DataAsync);
        // A GPU's replica is in its own memory, and whether it fits shows when it is made.
        var room = name == "cpu" ? _silo.Memory.Take(Context.RunId, $"A replica on {name}", new RunMemory(plan.Spec, plan.Config, store.MaximumLength).DeviceBytes) : null;
        try
        {
            return new SiteDevice(await RunReplica.CreateAsync(Context.RunId, _siloName, _silo.Devices.Find(name), plan, store, room), _silo.Time);
        }
        catch
        {
            room?.Dispose();
            throw;
        }
    }

    // Once for all devices; what failed is tried again.
    private async Task<(RunPlan Plan, TokenStore Store)> DataAsync()
    {
        if (_data is { } known) return known;
        var store = await _silo.Stores.OpenAsync(Context.Spec);
        // Permuting the records of a large data set takes its time.
        var opened = (await _silo.Compute.RunAsync(() => new RunPlan(Context.Spec, Model.Config, store)), store);
        _data = opened;
        return opened;
    }

    // What is at the copy's memory ends first.
    private Task EndAsync(PartitionCopy copy) => _silo.Compute.RunAsync(() =>
    {
        copy.State.Dispose();
        copy.Room.Dispose();
        lock (copy.Gate) copy.Unpin();
    });

    private StaleMessageException Closed() => new($"Run {Context.RunId} is closed on {_siloName}.");
}
