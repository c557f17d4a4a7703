using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>
/// The devices that got no replica for reasons of their own: what is wrong with each is told once, and when it is tried again follows from
/// what it is. Touched on the run grain's scheduler only.
/// </summary>
internal sealed class FailingDevices(string runId, RunJournal journal, TimeProvider time, ILogger log)
{
    // A device whose memory another run still has gets a replica when that one has let go.
    private static readonly TimeSpan RetryInterval = TimeSpan.FromSeconds(2);

    // What ails one that does not give the same bits twice may pass, but not soon.
    private static readonly TimeSpan AsideInterval = TimeSpan.FromMinutes(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly Dictionary<DeviceName, Failing> _devices = [];

    private sealed record Failing(SiloAddress Silo, long Since, long Latest, Exception Reason);

    /// <summary>What is said of a device that hangs or is unsound; null when none is.</summary>
    public string? Stuck => _devices.Values.Select(failing => failing.Reason).FirstOrDefault(reason => reason is DevicesStuckException or DeviceUnsoundException)?.Message;

    /// <summary>The error of one that has been failing for long; null when none has. One that hangs may come back, or be replaced: that is waited for.</summary>
    public string? Hopeless =>
        _devices.Values.FirstOrDefault(failing => failing.Reason is not DevicesStuckException && time.GetElapsedTime(failing.Since) > Patience)?.Reason.Message.Split('\n')[0];

    /// <summary>Whether it is too early to try a device again.</summary>
    public bool Rests(DeviceName device) =>
        _devices.TryGetValue(device, out var failing) && time.GetElapsedTime(failing.Latest) < (failing.Reason is DeviceUnsoundException ? AsideInterval : RetryInterval);

    /// <summary>A device has failed.</summary>
    /// <param name="device">Which.</param>
    /// <param name="silo">The process that offers it.</param>
    /// <param name="reason">What is wrong.</param>
    public void Add(DeviceName device, SiloAddress silo, Exception reason)
    {
        long now = time.GetTimestamp();
        // Told once, however often it is tried.
        if (!_devices.TryGetValue(device, out var before)) journal.Warn($"{device.Silo} {device.Device} cannot take part for now: {reason.Message.Split('\n')[0]}");
        _devices[device] = new Failing(silo, before?.Since ?? now, now, reason);
        log.DeviceNotPrepared(reason, runId, device.Silo, device.Device);
    }

    /// <summary>It has its replica.</summary>
    public void Remove(DeviceName device) => _devices.Remove(device);

    /// <summary>Forgets those that are not offered any more, or by another process: of a silo that was restarted nothing is known.</summary>
    public void Keep(Func<DeviceName, SiloAddress, bool> isOffered)
    {
        foreach (var (device, failing) in _devices.ToArray())
            if (!isOffered(device, failing.Silo)) _devices.Remove(device);
    }
}
