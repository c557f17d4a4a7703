using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// The devices a run works with: those that the queue gives it, once their silo has the data and they have a replica. New
/// ones are prepared while the run goes on and join at a step boundary.
/// </summary>
internal sealed class DevicePool(RunContext context, IGrainFactory grains, ClusterView view, RunJournal journal, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan QueuePatience = TimeSpan.FromSeconds(5);

    private readonly Dictionary<DeviceName, Preparation> _prepared = [];
    private readonly Dictionary<SiloAddress, SiloData> _data = [];
    private ImmutableArray<DeviceName> _share = [];
    private string _hash = "";

    /// <summary>Where a device's replica is in its life.</summary>
    private sealed class Preparation(SiloAddress silo)
    {
        public SiloAddress Silo { get; } = silo;

        public Task Done { get; set; } = Task.CompletedTask;

        public bool IsReady { get; set; }
    }

    /// <summary>A silo's copy of the data.</summary>
    private sealed class SiloData
    {
        public Task Opening { get; set; } = Task.CompletedTask;

        public DataSummary? Summary { get; set; }

        /// <summary>It sees other data, or none: it is not asked again.</summary>
        public bool IsRefused { get; set; }
    }

    /// <summary>The devices that may be given work now, by silo and name.</summary>
    public ImmutableArray<DeviceName> Ready =>
        [.. _share.Where(device => _prepared.TryGetValue(device, out var known) && known.IsReady && view.IsLive(known.Silo))];

    /// <summary>How many devices live silos offer, whichever run has them.</summary>
    public int Alive => view.Silos.Where(silo => !silo.IsDraining).Sum(silo => silo.Devices.Length);

    /// <summary>All devices that have, or are getting, a replica.</summary>
    public IEnumerable<DeviceName> Prepared => _prepared.Keys;

    /// <summary>The silos that have the data and are to stay: those that may hold partitions.</summary>
    public ImmutableArray<LiveSilo> Holders =>
        [.. view.Silos.Where(silo => !silo.IsDraining && _data.TryGetValue(silo.Address, out var data) && data.Summary is not null)];

    public IGpuGrain Grain(DeviceName device) => grains.GetGrain<IGpuGrain>($"{context.RunId}/{device.Device}@{device.Silo}");

    /// <summary>Opens the data on all silos.</summary>
    /// <exception cref="RunInputException">A silo cannot read the data, or sees other data than the rest.</exception>
    public async Task<DataSummary> OpenDataAsync()
    {
        DataSummary? first = null;
        string firstSilo = "";
        foreach (var (silo, data) in view.Silos.Select(silo => (silo, Open(silo))).ToArray())
        {
            await data.Opening;
            if (data.Summary is not { } summary) continue;
            if (first is not null && summary.Hash != first.Hash)
                throw new RunInputException($"{FileList.Text(context.Spec.Data)} is not the same everywhere: {firstSilo} sees hash {first.Hash}, {silo.Name} sees {summary.Hash}.");
            if (first is null) (first, firstSilo) = (summary, silo.Name);
        }

        _hash = first?.Hash ?? throw new StaleMessageException("No silo could open the data.");
        return first;
    }

    /// <summary>Brings the pool up to date with the cluster; does not wait for devices that are being prepared.</summary>
    public async Task UpdateAsync()
    {
        var live = view.Silos.Where(silo => !silo.IsDraining).ToArray();
        foreach (var silo in live) Open(silo);
        var offered = live.SelectMany(silo => silo.Devices.Select(device => new DeviceName(silo.Name, device))).ToImmutableArray();
        _share = await ShareAsync(offered);
        foreach (var (device, preparation) in _prepared.ToArray())
        {
            if (!view.IsLive(preparation.Silo) || (preparation.Done.IsCompleted && !preparation.IsReady)) _prepared.Remove(device);
            else if (!_share.Contains(device) && preparation.IsReady) await ReleaseAsync(device);
        }

        foreach (var device in _share)
        {
            if (_prepared.ContainsKey(device)) continue;
            var silo = live.First(silo => silo.Name == device.Silo);
            var preparation = _prepared[device] = new Preparation(silo.Address);
            preparation.Done = PrepareAsync(preparation, device, silo);
        }
    }

    /// <summary>Waits until no device is being prepared.</summary>
    public Task PreparedAsync() => Task.WhenAll(_prepared.Values.Select(preparation => preparation.Done));

    /// <summary>Completes when a device that is being prepared is done with it.</summary>
    public Task NextPreparedAsync()
    {
        var waiting = _prepared.Values.Select(preparation => preparation.Done).Where(done => !done.IsCompleted).ToArray();
        return waiting.Length == 0 ? Task.Delay(Timeout.InfiniteTimeSpan, time) : Task.WhenAny(waiting);
    }

    /// <summary>Counts no more on a device: it will be prepared again if its silo lives.</summary>
    public void Lose(DeviceName device) => _prepared.Remove(device);

    private SiloData Open(LiveSilo silo)
    {
        if (_data.TryGetValue(silo.Address, out var known) && (known.Summary is not null || known.IsRefused || !known.Opening.IsCompleted)) return known;
        var data = _data[silo.Address] = new SiloData();
        data.Opening = OpenAsync(silo, data);
        return data;
    }

    private async Task OpenAsync(LiveSilo silo, SiloData data)
    {
        try
        {
            var summary = await grains.GetGrain<ISiloGrain>($"@{silo.Name}").OpenDataAsync(context.Spec, context.SequenceLimit);
            if (_hash.Length > 0 && summary.Hash != _hash) Refuse(silo, data, $"it sees data of hash {summary.Hash}, the run began with {_hash}");
            else data.Summary = summary;
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Asked again at the next boundary, if it lives.
        }
        catch (RunInputException exception) when (_hash.Length > 0)
        {
            Refuse(silo, data, exception.Message);
        }
    }

    private void Refuse(LiveSilo silo, SiloData data, string reason)
    {
        data.IsRefused = true;
        journal.Warn($"{silo.Name} cannot take part: {reason}");
    }

    private async Task PrepareAsync(Preparation preparation, DeviceName device, LiveSilo silo)
    {
        try
        {
            var data = Open(silo);
            await data.Opening;
            if (data.Summary is null) return;
            await Grain(device).PrepareAsync(context);
            preparation.IsReady = true;
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            log.DeviceNotPrepared(exception, context.RunId, device.Silo, device.Device);
        }
    }

    private async Task ReleaseAsync(DeviceName device)
    {
        _prepared.Remove(device);
        try
        {
            await Grain(device).ReleaseAsync();
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // What its silo had is gone with it.
        }
    }

    private async Task<ImmutableArray<DeviceName>> ShareAsync(ImmutableArray<DeviceName> offered)
    {
        try
        {
            return await grains.GetGrain<IRunQueueGrain>(IRunQueueGrain.Key).ShareAsync(context.RunId, offered).WaitAsync(QueuePatience, time);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            // Until the queue answers again, everything stays as it was.
            return [.. _share.Where(offered.Contains)];
        }
    }
}
