using System.Net;
using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// /health/live: the process answers and its device threads take work. /health/ready: besides, it has joined the
/// cluster, takes calls and holds what it is to hold. Neither asks another process or a grain.
/// </summary>
internal static class Health
{
    /// <summary>Listens where the silo does: on the loopback, or, where it is reached from elsewhere, on every interface.</summary>
    public static void AddHealth(this WebApplicationBuilder builder, SiloSettings settings) => builder.WebHost.ConfigureKestrel(kestrel =>
    {
        if (IPAddress.IsLoopback(settings.Address)) kestrel.Listen(IPAddress.Loopback, settings.HttpPort);
        else kestrel.ListenAnyIP(settings.HttpPort);
    });

    public static void AddReadiness(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<Readiness>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Readiness>());
    }

    public static void MapHealth(this WebApplication app)
    {
        var lifetime = app.Lifetime;
        var drain = app.Services.GetRequiredService<SiloDrain>();
        Map("/health/live", "alive", () => true);
        Map("/health/startup", "started", () => lifetime.ApplicationStarted.IsCancellationRequested);
        var readiness = app.Services.GetRequiredService<Readiness>();
        Map("/health/ready", "ready", () => !drain.IsDraining && readiness.IsReady && lifetime.ApplicationStarted.IsCancellationRequested && !lifetime.ApplicationStopping.IsCancellationRequested);

        void Map(string path, string word, Func<bool> holds) => app.MapGet(path, (SiloDevices devices) =>
            DevicesAlive(devices) && holds() ? Results.Text(word) : Results.StatusCode(StatusCodes.Status503ServiceUnavailable));
    }

    private static bool DevicesAlive(SiloDevices devices) => devices.All.All(device => device.Thread.IsAlive);
}
