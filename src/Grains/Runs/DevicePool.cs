using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>A silo at work for a run.</summary>
/// <param name="Silo">Its name.</param>
/// <param name="Devices">Its devices that the run has and that have a replica.</param>
internal sealed record WorkingSite(string Silo, ImmutableArray<string> Devices);

/// <summary>
/// The devices a run works with: those that the queue gives it, once their silo has the data and they have a replica. New
/// ones are prepared while the run goes on and join as soon as they are ready.
/// </summary>
internal sealed class DevicePool(
    RunContext context, string dataHash, Func<long, Fence> fence, IGrainFactory grains, ClusterView view, RunJournal journal, TimeProvider time, ILogger log)
{
    private static readonly TimeSpan QueuePatience = TimeSpan.FromSeconds(5);

    // One that does not give the same bits twice is tried a few times, and then set aside.
    private static readonly TimeSpan ProofPatience = TimeSpan.FromSeconds(3);

    // Devices are alike, mostly: those that begin together are ready together. The others join while the run goes on.
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan SlowestPatience = TimeSpan.FromSeconds(5);

    // Who uses the memory that a silo lacks is not known, nor for how long.
    private static readonly TimeSpan RoomPause = TimeSpan.FromSeconds(10);

    private readonly Dictionary<SiloAddress, long> _passedOver = [];
    private readonly Dictionary<DeviceName, Preparation> _prepared = [];
    private readonly SiloDataSets _data = new(context, dataHash, grains, journal, time);
    private readonly FailingDevices _failing = new(context.RunId, journal, time, log);

    // They may still have a replica, which another run would find in its way.
    private readonly HashSet<DeviceName> _lost = [];
    private readonly Turn _updating = new();
    private TaskCompletionSource _nextPrepared = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ImmutableArray<DeviceName> _share = [];
    private readonly Dictionary<SiloAddress, bool> _roomy = [];
    private readonly HashSet<SiloAddress> _toldApart = [];
    private RunMemory? _memory;
    private string _kind = "";

    /// <summary>Where a device's replica is in its life.</summary>
    private sealed class Preparation(SiloAddress silo, SlowPart slow)
    {
        public SiloAddress Silo { get; } = silo;

        public SlowPart Slow { get; } = slow;

        public Task Done { get; set; } = Task.CompletedTask;

        public bool IsReady { get; set; }
    }

    /// <summary>The devices that may be given work now, by silo and name.</summary>
    public ImmutableArray<DeviceName> Ready =>
        [.. _share.Where(device => _prepared.TryGetValue(device, out var known) && known.IsReady && view.IsLive(known.Silo))];

    /// <summary>The silos that may be given work now, by name.</summary>
    public ImmutableArray<WorkingSite> Sites =>
        [.. Ready.GroupBy(device => device.Silo).Select(silo => new WorkingSite(silo.Key, [.. silo.Select(device => device.Device)]))];

    /// <summary>How many devices live silos offer, whichever run has them.</summary>
    public int Alive => Offers.Sum(offer => DeviceKinds.Alike(offer, _kind).Count());

    /// <summary>What a run says that waits for devices of its kind.</summary>
    public string Lack(int needed) => DeviceKinds.Lack([.. Offers], _kind, needed);

    private IEnumerable<SiloOffer> Offers => view.Silos.Where(silo => !silo.IsDraining).Select(silo => silo.Offer);

    /// <summary>All devices that have, or are getting, a replica.</summary>
    public IEnumerable<DeviceName> Prepared => _prepared.Keys;

    /// <summary>The silos that are to stay: those that may hold partitions, whether or not they see the data.</summary>
    public ImmutableArray<LiveSilo> Holders => [.. Roomy.Where(silo => !_passedOver.TryGetValue(silo.Address, out long since) || time.GetElapsedTime(since) >= RoomPause)];

    /// <summary>A silo that was asked to hold a partition had no memory left: for a while others are asked.</summary>
    public void PassOver(string silo)
    {
        foreach (var known in view.Silos.Where(known => known.Name == silo)) _passedOver[known.Address] = time.GetTimestamp();
    }

    public ISiteGrain Site(string silo) => grains.GetGrain<ISiteGrain>($"{context.RunId}/site@{silo}");

    private IGpuGrain Grain(DeviceName device) => grains.GetGrain<IGpuGrain>($"{context.RunId}/{device.Device}@{device.Silo}");

    /// <inheritdoc cref="SiloDataSets.OpenAsync(IEnumerable{LiveSilo})"/>
    public Task<DataSummary> OpenDataAsync() => _data.OpenAsync(view.Silos);

    /// <summary>Brings the pool up to date with the cluster; does not wait for devices that are being prepared.</summary>
    /// <exception cref="SupersededException">A device refused to be prepared: another driver has taken over.</exception>
    public Task UpdateAsync() => _updating.TakeAsync(async () =>
    {
        TellApart();
        var (live, offered) = Offered();
        _share = await ShareAsync(offered);
        await DropLostAsync();
        foreach (var (device, preparation) in _prepared.ToArray())
            if (!_share.Contains(device) && preparation.IsReady) await ReleaseAsync(device);
        foreach (var device in _lost.Where(device => !_share.Contains(device) && offered.Contains(device)).ToArray()) _ = ReleaseAsync(device);
        _lost.Clear();
        _failing.Keep((device, silo) => offered.Contains(device) && live.Any(known => known.Address.Equals(silo)));
        Prepare(live);
        return true;
    });

    /// <summary>In the middle of a step: has devices prepared that have come. Those at work stay, whoever is to have them after it.</summary>
    /// <exception cref="SupersededException">A device refused to be prepared: another driver has taken over.</exception>
    public Task TakeInAsync() => _updating.TakeAsync(async () =>
    {
        var (live, offered) = Offered();
        var share = await ShareAsync(offered);
        _share = [.. _share.Where(offered.Contains), .. share.Where(device => !_share.Contains(device))];
        await DropLostAsync();
        Prepare(live);
        return true;
    });

    private (ImmutableArray<LiveSilo> Live, ImmutableArray<DeviceName> Devices) Offered()
    {
        LookForRoom();
        var live = Roomy;
        foreach (var silo in live) _data.Open(silo);
        return (live, [.. live.SelectMany(silo => DeviceKinds.Alike(silo.Offer, _kind).Select(device => new DeviceName(silo.Name, device)))]);
    }

    private async Task DropLostAsync()
    {
        foreach (var (device, preparation) in _prepared.ToArray())
        {
            // A later driver has been at that silo: this one would wait for its devices for ever.
            if (preparation.Done.IsFaulted) await preparation.Done;
            if (!view.IsLive(preparation.Silo) || (preparation.Done.IsCompleted && !preparation.IsReady)) _prepared.Remove(device);
        }
    }

    private void Prepare(ImmutableArray<LiveSilo> live)
    {
        foreach (var device in _share)
        {
            if (_prepared.ContainsKey(device) || _failing.Rests(device)) continue;
            // The queue may still name one that is no more.
            if (live.FirstOrDefault(silo => silo.Name == device.Silo) is not { } silo) continue;
            var preparation = _prepared[device] = new Preparation(silo.Address, new SlowPart(time));
            preparation.Done = PrepareAsync(preparation, device, silo);
        }
    }

    /// <summary>Decides of which kind the run's devices are, where no driver has yet.</summary>
    /// <param name="known">The kind that an earlier driver has decided on, or empty.</param>
    public string ChooseKind(string known) => _kind = known.Length > 0 ? known : DeviceKinds.Choose(Offers);

    private void TellApart()
    {
        foreach (var silo in view.Silos.Where(silo => !silo.IsDraining && _toldApart.Add(silo.Address)))
            foreach (var (device, kind) in DeviceKinds.Others(silo.Offer, _kind))
                journal.Warn($"{silo.Name} {device} cannot take part: it is {kind}, and the run computes on {_kind}; their bits differ");
    }

    /// <summary>From now on only silos with memory for the run count; null when there is one, otherwise what is lacking.</summary>
    public string? FindRoom(RunMemory memory)
    {
        _memory = memory;
        LookForRoom();
        var staying = view.Silos.Where(silo => !silo.IsDraining).ToArray();
        return staying.Length == 0 || Roomy.Length > 0 ? null : RunAdmission.Objection(memory, Rooms(staying));
    }

    /// <summary>Lets in silos that have come and have memory for the run.</summary>
    // One that has been let in stays: what it holds it holds, and what it lacks for more it says when it is asked to take it.
    public void LookForRoom()
    {
        if (_memory is null) return;
        var staying = view.Silos.Where(silo => !silo.IsDraining).ToArray();
        var admission = RunAdmission.Decide(_memory, Rooms(staying));
        foreach (var silo in staying)
        {
            bool known = _roomy.TryGetValue(silo.Address, out bool before);
            bool fits = _roomy[silo.Address] = before || admission.Silos.Contains(silo.Name) || silo.Offer.Reserved.Any(reserved => reserved.RunId == context.RunId);
            if (!known && !fits && admission.IsAdmitted) journal.Warn($"{silo.Name} cannot take part for now: {admission.Refused[silo.Name]}");
        }
    }

    private ImmutableArray<LiveSilo> Roomy =>
        [.. view.Silos.Where(silo => !silo.IsDraining && (_memory is null || _roomy.GetValueOrDefault(silo.Address)))];

    private SiloRoom[] Rooms(IEnumerable<LiveSilo> silos) => [.. silos.Select(silo => SiloRoom.Of(silo.Offer, context.RunId))];

    /// <summary>Waits until no device is being prepared, but for the slowest only a moment once <paramref name="enough"/> are ready.</summary>
    public async Task PreparedAsync(int enough, Func<bool> isToStop)
    {
        var all = Task.WhenAll(_prepared.Values.Select(preparation => preparation.Done));
        while (!all.IsCompleted && Ready.Length < enough && !isToStop())
        {
            TellSlow();
            await Task.WhenAny(all, NextPreparedAsync(), Task.Delay(LookInterval, time));
        }

        if (!all.IsCompleted) await Task.WhenAny(all, Task.Delay(SlowestPatience, time));
    }

    /// <summary>Says which devices, and which silos, have been at their preparation for long.</summary>
    public void TellSlow()
    {
        _data.TellSlow();
        foreach (var (device, preparation) in _prepared.Where(known => !known.Value.Done.IsCompleted && known.Value.Slow.IsToBeTold()))
            journal.Note($"{device.Silo} {device.Device} has been getting ready for {preparation.Slow.Seconds:F0} s");
    }

    /// <summary>Fails with a device's own error when none is ready and that one has been failing for long.</summary>
    public void CheckHope()
    {
        if (!Ready.IsEmpty || _prepared.Values.Any(preparation => !preparation.Done.IsCompleted)) return;
        journal.CheckPreparation();
        if (_failing.Hopeless is { } reason) throw new RunFailedException($"No device can take the model: {reason}");
    }

    /// <summary>What is said of a device that hangs or is unsound, when the run has no other; null when none is.</summary>
    public string? Stuck => Ready.IsEmpty ? _failing.Stuck : null;

    /// <summary>Completes when a device that is being prepared now, or later, is done with it.</summary>
    public Task NextPreparedAsync() => _nextPrepared.Task;

    /// <summary>Counts no more on a silo's devices: they will be prepared again if it lives.</summary>
    public void Lose(string silo)
    {
        foreach (var device in _prepared.Keys.Where(device => device.Silo == silo).ToArray())
        {
            _prepared.Remove(device);
            _lost.Add(device);
        }
    }

    private async Task PrepareAsync(Preparation preparation, DeviceName device, LiveSilo silo)
    {
        try
        {
            var data = _data.Open(silo);
            await data.Opening;
            if (data.Summary is null) return;
            await journal.PreparingAsync();
            await ProvenAsync(device, silo);
            preparation.IsReady = true;
            _failing.Remove(device);
        }
        catch (Exception exception) when (CallFailure.IsLoss(exception))
        {
            log.DeviceNotPrepared(exception, context.RunId, device.Silo, device.Device);
            // It is tried again at once when it has been seen that it is not ready.
            if (view.IsLive(silo.Address)) await Task.Delay(LookInterval, time);
        }
#pragma warning disable CA1031 // Whatever is wrong with one device, the run goes on with the others.
        catch (Exception exception) when (exception is not SupersededException)
        {
            _failing.Add(device, silo.Address, exception);
        }
#pragma warning restore CA1031
        finally
        {
            var done = _nextPrepared;
            _nextPrepared = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            done.SetResult();
        }
    }

    /// <summary>Has the device get its replica, which it has to prove itself with.</summary>
    private async Task ProvenAsync(DeviceName device, LiveSilo silo)
    {
        var backoff = new Backoff(time, ProofPatience);
        while (true)
        {
            try
            {
                await Grain(device).PrepareAsync(fence(0), context);
                return;
            }
            catch (DeviceUnsoundException exception)
            {
                _failing.Add(device, silo.Address, exception);
                if (!await backoff.PauseAsync()) throw;
            }
        }
    }

    private async Task ReleaseAsync(DeviceName device)
    {
        _prepared.Remove(device);
        try
        {
            await Grain(device).ReleaseAsync(fence(0));
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
