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
internal sealed class DevicePool(RunContext context, string dataHash, IGrainFactory grains, ClusterView view, RunJournal journal, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan QueuePatience = TimeSpan.FromSeconds(5);

    // A device whose memory another run still has gets a replica when that one has let go.
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan FailurePatience = TimeSpan.FromSeconds(30);

    private readonly Dictionary<DeviceName, Preparation> _prepared = [];
    private readonly Dictionary<SiloAddress, SiloData> _data = [];
    private readonly Dictionary<DeviceName, Failing> _failing = [];
    private ImmutableArray<DeviceName> _share = [];
    private string _hash = dataHash;

    /// <summary>Where a device's replica is in its life.</summary>
    private sealed class Preparation(SiloAddress silo)
    {
        public SiloAddress Silo { get; } = silo;

        public Task Done { get; set; } = Task.CompletedTask;

        public bool IsReady { get; set; }
    }

    /// <summary>A device that got no replica for a reason of its own.</summary>
    private sealed record Failing(long Since, long Latest, Exception Reason);

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

    /// <summary>Opens the data: on all silos, which have to agree; where it is known which data the run has, on the first that has them.</summary>
    /// <exception cref="RunInputException">A silo cannot read the data, or sees other data than the rest.</exception>
    public async Task<DataSummary> OpenDataAsync()
    {
        var opening = view.Silos.Select(silo => (silo.Name, Data: Open(silo))).ToList();
        if (_hash.Length > 0) return await FirstAsync([.. opening.Select(known => known.Data)]);
        DataSummary? first = null;
        string firstSilo = "";
        foreach (var (name, data) in opening)
        {
            await data.Opening;
            if (data.Summary is not { } summary) continue;
            if (first is not null && summary.Hash != first.Hash)
                throw new RunInputException($"{FileList.Text(context.Spec.Data)} is not the same everywhere: {firstSilo} sees hash {first.Hash}, {name} sees {summary.Hash}.");
            if (first is null) (first, firstSilo) = (summary, name);
        }

        _hash = first?.Hash ?? throw new StaleMessageException("No silo could open the data.");
        return first;
    }

    private static async Task<DataSummary> FirstAsync(List<SiloData> opening)
    {
        while (opening.Count > 0)
        {
            await Task.WhenAny(opening.Select(data => data.Opening));
            if (opening.FirstOrDefault(data => data.Summary is not null)?.Summary is { } summary) return summary;
            opening.RemoveAll(data => data.Opening.IsCompleted);
        }

        throw new StaleMessageException("No silo has the run's data.");
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

        foreach (var device in _failing.Keys.Where(device => !offered.Contains(device)).ToArray()) _failing.Remove(device);
        foreach (var device in _share)
        {
            if (_prepared.ContainsKey(device) || (_failing.TryGetValue(device, out var failing) && time.GetElapsedTime(failing.Latest) < RetryInterval)) continue;
            var silo = live.First(silo => silo.Name == device.Silo);
            var preparation = _prepared[device] = new Preparation(silo.Address);
            preparation.Done = PrepareAsync(preparation, device, silo);
        }
    }

    /// <summary>Waits until no device is being prepared.</summary>
    public Task PreparedAsync() => Task.WhenAll(_prepared.Values.Select(preparation => preparation.Done));

    /// <summary>Fails with a device's own error when none is ready and that one has been failing for long.</summary>
    public void CheckHope()
    {
        if (!Ready.IsEmpty || _prepared.Values.Any(preparation => !preparation.Done.IsCompleted)) return;
        var hopeless = _failing.Values.FirstOrDefault(failing => time.GetElapsedTime(failing.Since) > FailurePatience);
        if (hopeless is not null) throw new RunFailedException($"No device can take the model: {hopeless.Reason.Message.Split('\n')[0]}");
    }

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
            _failing.Remove(device);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            log.DeviceNotPrepared(exception, context.RunId, device.Silo, device.Device);
        }
#pragma warning disable CA1031 // Whatever is wrong with one device, the run goes on with the others.
        catch (Exception exception) when (exception is not SupersededException)
        {
            long now = time.GetTimestamp();
            if (!_failing.TryGetValue(device, out var before)) journal.Warn($"{device.Silo} {device.Device} cannot take part for now: {exception.Message.Split('\n')[0]}");
            _failing[device] = new Failing(before?.Since ?? now, now, exception);
            log.DeviceNotPrepared(exception, context.RunId, device.Silo, device.Device);
        }
#pragma warning restore CA1031
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
