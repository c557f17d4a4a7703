using System.Net;
using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// /health/live: the process answers and its device threads take work. /health/ready: besides, it has joined the
/// cluster, takes calls and has not been told to leave. Neither asks another process or a grain.
/// </summary>
internal static class Health
{
    public static void AddHealth(this WebApplicationBuilder builder, SiloSettings settings) => builder.WebHost.ConfigureKestrel(kestrel =>
        kestrel.Listen(IPAddress.IsLoopback(settings.Address) ? IPAddress.Loopback : IPAddress.Any, settings.HttpPort));

    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/health/live", (SiloDevices devices) => DevicesAlive(devices) ? Results.Text("alive") : Results.StatusCode(503));
        app.MapGet("/health/ready", (SiloDevices devices, SiloDrain drain, IHostApplicationLifetime lifetime) =>
            DevicesAlive(devices) && !drain.IsDraining && lifetime.ApplicationStarted.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested
                ? Results.Text("ready")
                : Results.StatusCode(503));
    }

    private static bool DevicesAlive(SiloDevices devices) => devices.All.All(device => device.Thread.IsAlive);
}
