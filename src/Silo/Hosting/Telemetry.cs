using GenSlmOrleans.Grains.Diagnostics;
using OpenTelemetry.Metrics;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>Logs to standard output; metrics, ours, Orleans' and the runtime's, at /metrics.</summary>
internal static class Telemetry
{
    public static void AddLogs(this WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        builder.Logging.AddSimpleConsole(options =>
        {
            options.SingleLine = true;
            options.TimestampFormat = "HH:mm:ss.fff ";
            options.UseUtcTimestamp = true;
        });
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Logging.AddFilter("GenSlmOrleans", LogLevel.Information);
        // It warns of short reminders, which are meant.
        builder.Logging.AddFilter("Orleans.Hosting.ReminderOptionsValidator", LogLevel.Error);
    }

    public static void AddTelemetry(this WebApplicationBuilder builder) => builder.Services
        .AddOpenTelemetry()
        .WithMetrics(metrics => metrics
            .AddMeter(ClusterMetrics.MeterName, "Microsoft.Orleans")
            .AddRuntimeInstrumentation()
            // Without this every series carries the labels of its meter.
            .AddPrometheusExporter(options => options.ScopeInfoEnabled = false));

    public static void MapTelemetry(this WebApplication app)
    {
        // The meter exists once the instruments do: before the first scrape, not at the first grain call.
        app.Services.GetRequiredService<ClusterMetrics>();
        app.MapPrometheusScrapingEndpoint();
    }
}
