using GenSlmOrleans.Model;
using TorchDevices = GenSlmOrleans.Model.AvailableDevices;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>The devices that this silo offers.</summary>
public sealed class SiloDevices : IDisposable
{
    private readonly DeviceClaims _claims = new(DeviceClaims.MachineFolder);

    /// <param name="names">Devices to offer; empty: the silo's part of the GPUs that no other silo of the machine offers, or the CPU where there is none.</param>
    /// <param name="time">Measures how busy the devices are.</param>
    /// <param name="silosHere">How many silos share the machine.</param>
    /// <param name="trials">What the devices have to stand; null: the real ones.</param>
    /// <exception cref="ArgumentException">A named device is not here, or another silo offers it; or the environment keeps GPUs from giving the same bits twice.</exception>
    public SiloDevices(IReadOnlyList<string> names, TimeProvider time, int silosHere = 1, DeviceTrials? trials = null)
    {
        var chosen = DeviceChoice.Choose(names, TorchDevices.Names(), silosHere, name => _claims.TryTake(GpuIdentity.Of(name)));
        if (chosen.Any(name => name != "cpu")) DeterministicMode.Enter();
        All = [.. chosen.Select(name => new ComputeDevice(name, time, trials))];
    }

    /// <summary>Of devices that need not be chosen or claimed.</summary>
    internal SiloDevices(IReadOnlyList<ComputeDevice> devices) => All = devices;

    /// <summary>Why GPUs could not be claimed, so that another silo may offer them too; null: they could.</summary>
    public string? Unclaimed => _claims.Objection;

    public IReadOnlyList<ComputeDevice> All { get; }

    /// <summary>Whether one of them computes nothing any more in this process.</summary>
    public bool IsPoisoned => All.Any(device => device.Poisoned.IsCompleted);

    /// <summary>Completes, with a sentence, when one of them computes nothing any more in this process.</summary>
    public async Task<string> PoisonedAsync() => All.Count == 0 ? await new TaskCompletionSource<string>().Task : await await Task.WhenAny(All.Select(device => device.Poisoned));

    /// <summary>The device called <paramref name="name"/>.</summary>
    public ComputeDevice Find(string name) =>
        All.FirstOrDefault(device => device.Name == name)
        ?? throw new ArgumentException($"This silo has no device {name}; it has {string.Join(", ", All.Select(device => device.Name))}.", nameof(name));

    public void Dispose()
    {
        foreach (var device in All) device.Dispose();
        _claims.Dispose();
    }
}
