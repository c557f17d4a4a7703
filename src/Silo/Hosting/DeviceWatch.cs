using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// A silo with a device that computes nothing any more in this process leaves, in order: what it holds is in its own memory and
/// sound. Another process can use the device again, so it ends with a code of its own for whoever starts it anew.
/// </summary>
internal sealed class DeviceWatch(SiloDevices devices, SiloDrain drain, ILogger<DeviceWatch> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        logger.DevicePoisoned(await devices.PoisonedAsync().WaitAsync(stoppingToken), SiloExitCode.DevicePoisoned);
        drain.Begin();
    }
}
