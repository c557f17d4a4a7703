using System.Diagnostics;
using System.Net;
using GenSlmOrleans.Client.Local;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Messaging;
using Orleans.Runtime;
using Orleans.Runtime.Messaging;

namespace GenSlmOrleans.Client;

/// <summary>A client connected to the gateways of a cluster.</summary>
internal sealed class ClusterConnection : IAsyncDisposable
{
    /// <summary>The name of a cluster where no other is given: GENSLM_CLUSTER, as a silo reads it, or genslm.</summary>
    public static string DefaultCluster { get; } = Environment.GetEnvironmentVariable("GENSLM_CLUSTER") is { Length: > 0 } named ? named : "genslm";

    // A gateway that takes connections gets time to answer, however busy its machine is; that nobody is there is said soon.
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan AbsenceTimeout = TimeSpan.FromSeconds(5);

    // A paused process takes a connection and never says a word.
    private static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(200);

    private readonly IHost _host;
    private readonly GatewayPulse _pulse;

    private ClusterConnection(IHost host, GatewayList gateways)
    {
        _host = host;
        _pulse = new GatewayPulse(Grains, gateways);
    }

    public IGrainFactory Grains => _host.Services.GetRequiredService<IClusterClient>();

    /// <summary>Connects to one of the gateways that answers; goes over to another when it is lost or does not answer any more.</summary>
    /// <param name="known">All gateways that may be there; asked again and again.</param>
    /// <param name="cluster">The cluster's name.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ClusterException">None answers.</exception>
    public static async Task<ClusterConnection> OpenAsync(Func<IReadOnlyList<IPEndPoint>> known, string cluster, CancellationToken cancellation)
    {
        var gateways = new GatewayList(known);
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, CommandLifetime>();
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(ConnectTimeout);
        builder.UseOrleansClient(client =>
        {
            client.Services.AddSingleton<IGatewayListProvider>(gateways);
            client.Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = gateways.MaxStaleness);
            client.Configure<ClusterOptions>(options => options.ClusterId = options.ServiceId = cluster);
            client.Configure<ConnectionOptions>(options => options.OpenConnectionTimeout = HandshakeTimeout);
            var began = Stopwatch.GetTimestamp();
            client.UseConnectionRetryFilter(async (_, attempts) =>
            {
                gateways.Distrust();
                if (gateways.IsEmpty && Stopwatch.GetElapsedTime(began) > AbsenceTimeout) return false;
                await Task.Delay(RetryInterval, attempts);
                return true;
            });
        });
        var host = builder.Build();
        try
        {
            await host.StartAsync(deadline.Token);
            return new ClusterConnection(host, gateways);
        }
        catch (Exception exception) when (!cancellation.IsCancellationRequested && exception is OperationCanceledException or ConnectionFailedException or OrleansException)
        {
            await DisposeAsync(host);
            throw new ClusterException($"No cluster answers at {string.Join(", ", known())}.");
        }
        catch
        {
            await DisposeAsync(host);
            throw;
        }
    }

    /// <summary>A call that may be made again: repeated while the cluster is busy with the loss of a silo or of its Redis (<see cref="PatientCall"/>).</summary>
    /// <exception cref="ClusterException">It failed to the end.</exception>
    public Task<T> CallAsync<T>(Func<IGrainFactory, Task<T>> call, CancellationToken cancellation) =>
        PatientCall.AskAsync(() => call(Grains), PatientCall.Patience, cancellation, AnswerLimit);

    public async ValueTask DisposeAsync()
    {
        await _pulse.DisposeAsync();
        // Takes leave of the gateway; one that is gone is not waited for.
        using var patience = new CancellationTokenSource(LeaveTimeout);
        try
        {
            await _host.StopAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            // Then without.
        }

        await DisposeAsync(_host);
    }

    private static async ValueTask DisposeAsync(IHost host)
    {
        if (host is IAsyncDisposable disposable) await disposable.DisposeAsync();
    }
}
