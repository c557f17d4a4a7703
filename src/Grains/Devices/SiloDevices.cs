using GenSlmOrleans.Model;
using TorchDevices = GenSlmOrleans.Model.AvailableDevices;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>A device of this silo and the thread that computes on it.</summary>
public sealed class ComputeDevice(string name, TimeProvider time) : IDisposable
{
    /// <summary><c>cpu</c> or <c>cuda:N</c>.</summary>
    public string Name { get; } = name;

    public DeviceThread Thread { get; } = new(name, time);

    public void Dispose() => Thread.Dispose();
}

/// <summary>The devices that this silo offers.</summary>
public sealed class SiloDevices : IDisposable
{
    /// <param name="names">Devices to offer; empty: every GPU, or the CPU where there is none.</param>
    /// <param name="time">Measures how busy the devices are.</param>
    /// <exception cref="ArgumentException">A named device is not here.</exception>
    public SiloDevices(IReadOnlyList<string> names, TimeProvider time)
    {
        var here = TorchDevices.Names();
        foreach (var name in names)
            if (name != "cpu" && !here.Contains(name))
                throw new ArgumentException($"--devices names '{name}'; expected devices of this machine, which has {string.Join(", ", here)}.");
        All = [.. (names.Count == 0 ? here : names).Select(name => new ComputeDevice(name, time))];
    }

    public IReadOnlyList<ComputeDevice> All { get; }

    /// <summary>The device called <paramref name="name"/>.</summary>
    public ComputeDevice Find(string name) =>
        All.FirstOrDefault(device => device.Name == name)
        ?? throw new ArgumentException($"This silo has no device {name}; it has {string.Join(", ", All.Select(device => device.Name))}.", nameof(name));

    public void Dispose()
    {
        foreach (var device in All) device.Dispose();
    }
}
