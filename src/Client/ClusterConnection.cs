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

    private ClusterConnection(IHost host, GatewayList gateways, PatientCall calls)
    {
        (_host, Calls) = (host, calls);
        _pulse = new GatewayPulse(Grains, gateways);
    }

    public IGrainFactory Grains => _host.Services.GetRequiredService<IClusterClient>();

    /// <summary>Calls that are repeated for as long as the cluster is there; standard error is told what is waited for.</summary>
    public PatientCall Calls { get; }

    /// <summary>
    /// Connects to one of the gateways that answers; goes over to another when it is lost or does not answer any more. Of a
    /// cluster known by its processes an answer is waited for while they run; else it is not known what takes the connections.
    /// </summary>
    /// <param name="known">All gateways that may be there; asked again and again.</param>
    /// <param name="cluster">The cluster's name.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="processes">Whether its processes run; null: it is known by its gateways only.</param>
    /// <param name="tell">Shows a line; null: standard error does.</param>
    /// <exception cref="ClusterException">None answers.</exception>
    public static async Task<ClusterConnection> OpenAsync(
        Func<IReadOnlyList<IPEndPoint>> known, string cluster, CancellationToken cancellation, ClusterPresence? processes = null, Action<string>? tell = null)
    {
        var calls = new PatientCall(processes ?? ClusterPresence.OfGateways(known), tell ?? (text => Console.Error.WriteLine(text)));
        if (processes is null) return await OpenOnceAsync(known, cluster, calls, cancellation);
        // An attempt has limits of its own.
        return await calls.AskAsync(() => OpenOnceAsync(known, cluster, calls, cancellation), cancellation, Timeout.InfiniteTimeSpan);
    }

    private static async Task<ClusterConnection> OpenOnceAsync(Func<IReadOnlyList<IPEndPoint>> known, string cluster, PatientCall calls, CancellationToken cancellation)
    {
        var gateways = new GatewayList(known);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(ConnectTimeout);
        var host = Build(gateways, cluster);
        try
        {
            await host.StartAsync(deadline.Token);
            return new ClusterConnection(host, gateways, calls);
        }
        catch (Exception exception) when (!cancellation.IsCancellationRequested && exception is OperationCanceledException or ConnectionFailedException or OrleansException)
        {
            await DisposeAsync(host);
            throw new ClusterException($"No cluster answers at {string.Join(", ", known())}.");
        }
        catch
        {
            await DisposeAsync(host);
            cancellation.ThrowIfCancellationRequested();
            throw;
        }
    }

    private static IHost Build(GatewayList gateways, string cluster)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, CommandLifetime>();
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
        return builder.Build();
    }

    /// <summary>A call that may be made again: repeated for as long as the cluster is there (<see cref="PatientCall"/>).</summary>
    /// <exception cref="ClusterException">Nothing is left of the cluster.</exception>
    public Task<T> CallAsync<T>(Func<IGrainFactory, Task<T>> call, CancellationToken cancellation) =>
        Calls.AskAsync(() => call(Grains), cancellation, AnswerLimit);

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
