using System.Net;
using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// /health/live: the process answers and its device threads take work. /health/ready: besides, it has joined the
/// cluster and takes calls. Neither asks another process or a grain.
/// </summary>
internal static class Health
{
    /// <summary>Listens where the silo does: on the loopback, or, where it is reached from elsewhere, on every interface.</summary>
    public static void AddHealth(this WebApplicationBuilder builder, SiloSettings settings) => builder.WebHost.ConfigureKestrel(kestrel =>
    {
        if (IPAddress.IsLoopback(settings.Address)) kestrel.Listen(IPAddress.Loopback, settings.HttpPort);
        else kestrel.ListenAnyIP(settings.HttpPort);
    });

    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/health/live", (SiloDevices devices) => DevicesAlive(devices) ? Results.Text("alive") : Results.StatusCode(503));
        app.MapGet("/health/ready", (SiloDevices devices, IHostApplicationLifetime lifetime) =>
            DevicesAlive(devices) && lifetime.ApplicationStarted.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested
                ? Results.Text("ready")
                : Results.StatusCode(503));
        // As ready, but for good: a silo that is leaving has started all the same.
        app.MapGet("/health/startup", (SiloDevices devices, IHostApplicationLifetime lifetime) =>
            DevicesAlive(devices) && lifetime.ApplicationStarted.IsCancellationRequested ? Results.Text("started") : Results.StatusCode(503));
    }

    private static bool DevicesAlive(SiloDevices devices) => devices.All.All(device => device.Thread.IsAlive);
}
