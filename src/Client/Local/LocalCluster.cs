using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;

namespace GenSlmOrleans.Client.Local;

/// <summary>Silo processes on this machine and a client connected to them, for the length of one command.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private static readonly TimeSpan StartTimeout = TimeSpan.FromSeconds(90);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private readonly List<LocalSilo> _silos = [];
    private IHost? _client;

    public IReadOnlyList<LocalSilo> Silos => _silos;

    public IGrainFactory Grains => _client!.Services.GetRequiredService<IClusterClient>();

    /// <summary>Completes with the first silo that ends by itself.</summary>
    public async Task<LocalSilo> FirstEndedAsync()
    {
        var ended = await Task.WhenAny(_silos.Select(silo => silo.Ended));
        return _silos.First(silo => silo.Ended == ended);
    }

    /// <exception cref="ClusterException">A silo did not come up; the message shows the end of its log.</exception>
    public static async Task<LocalCluster> StartAsync(int siloCount, string runId, CancellationToken cancellation)
    {
        var cluster = new LocalCluster();
        try
        {
            await cluster.StartSilosAsync(siloCount, runId, cancellation);
            await cluster.ConnectAsync(cancellation);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    private async Task StartSilosAsync(int count, string runId, CancellationToken cancellation)
    {
        int cursor = SiloPorts.Start;
        IPEndPoint? primary = null;
        for (int i = 0; i < count; i++)
        {
            var ports = SiloPorts.Free(ref cursor);
            var log = Path.Combine(CacheFolder.Path, "logs", $"{runId}-{Environment.ProcessId}-silo-{i}.log");
            _silos.Add(LocalSilo.Start($"silo-{i}", ports, primary, sharesCores: count > 1, log));
            // The first keeps the membership table; the others join it, all at once.
            if (i == 0) await ReadyAsync(_silos[0], cancellation);
            primary ??= new IPEndPoint(IPAddress.Loopback, ports.Silo);
        }

        await Task.WhenAll(_silos.Select(silo => ReadyAsync(silo, cancellation)));
    }

    private static async Task ReadyAsync(LocalSilo silo, CancellationToken cancellation)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(StartTimeout);
        while (true)
        {
            if (silo.Ended.IsCompleted) throw new ClusterException($"A silo did not start: {silo.Obituary()}");
            try
            {
                using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{silo.Ports.Http}/health/ready"), deadline.Token);
                if (answer.IsSuccessStatusCode) return;
            }
            catch (HttpRequestException)
            {
                // Not listening yet.
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested && deadline.IsCancellationRequested)
            {
                throw new ClusterException($"A silo was not ready within {StartTimeout.TotalSeconds:F0} s; its log is {silo.LogPath}");
            }

            await Task.WhenAny(silo.Ended, Task.Delay(PollInterval, deadline.Token));
        }
    }

    private async Task ConnectAsync(CancellationToken cancellation)
    {
        var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton<IHostLifetime, CommandLifetime>();
        builder.UseOrleansClient(client =>
        {
            client.UseStaticClustering(_silos.Select(silo => new IPEndPoint(IPAddress.Loopback, silo.Ports.Gateway)).ToArray());
            client.Configure<ClusterOptions>(options => options.ClusterId = options.ServiceId = "genslm");
        });
        _client = builder.Build();
        await _client.StartAsync(cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _silos) silo.Dispose();
        if (_client is IAsyncDisposable client) await client.DisposeAsync();
    }
}
