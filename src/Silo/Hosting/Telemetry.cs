using System.Diagnostics;
using GenSlmOrleans.Grains.Diagnostics;
using Microsoft.Extensions.Logging.Console;
using OpenTelemetry.Metrics;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>Logs to standard output; metrics, ours, Orleans' and the runtime's, at /metrics.</summary>
internal static class Telemetry
{
    public static void AddLogs(this WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        var began = Stopwatch.GetTimestamp();
        builder.Services.AddSingleton<ConsoleFormatter>(services => new QuietFormatter(services, () => Stopwatch.GetElapsedTime(began)));
        builder.Logging.AddSimpleConsole(options =>
        {
            options.SingleLine = true;
            options.TimestampFormat = "HH:mm:ss.fff ";
            options.UseUtcTimestamp = true;
        });
        builder.Logging.AddConsole(options => options.FormatterName = QuietFormatter.FormatterName);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Logging.AddFilter("GenSlmOrleans", LogLevel.Information);
        // It warns of short reminders, which are meant.
        builder.Logging.AddFilter("Orleans.Hosting.ReminderOptionsValidator", LogLevel.Error);
        // Each attempt to find a silo that has just died, with a stack trace; what fails in the end, its caller tells.
        builder.Logging.AddFilter("Polly", LogLevel.Error);
    }

    public static void AddTelemetry(this WebApplicationBuilder builder) => builder.Services
        .AddHostedService<PoolWatch>()
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
