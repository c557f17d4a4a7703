using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>How a silo leaves: once it has been told to, it waits until it holds nothing of any run, and stops in order.</summary>
internal static class DrainHosting
{
    public static void AddDrain(this WebApplicationBuilder builder, SiloSettings settings)
    {
        builder.Services.AddSingleton(settings);
        builder.Services.AddSingleton<IHostLifetime, SiloLifetime>();
        builder.Services.AddHostedService<DrainService>();
        builder.Services.AddHostedService<DeviceWatch>();
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = settings.Deadlines.Stop);
    }

    private sealed class DrainService(
        SiloDrain drain, SiteStore sites, FailureDeadlines deadlines, TimeProvider time, IHostApplicationLifetime host, ILogger<SiloDrain> logger) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            await drain.Asked.WaitAsync(stoppingToken);
            logger.Draining(deadlines.Drain.TotalSeconds);
            // A window may be longer than this silo has time: its shards are computed elsewhere.
            sites.AbandonWindows();
            var patience = Task.Delay(deadlines.Drain, time, stoppingToken);
            if (await Task.WhenAny(drain.HandedOver, patience) == patience) logger.DrainTimedOut();
            else logger.HandedOver();
            host.StopApplication();
        }
    }
}
