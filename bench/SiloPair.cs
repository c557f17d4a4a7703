using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Client.Local;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Placement;
using GenSlmOrleans.Grains.Sites;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Orleans.Configuration;
using Orleans.Runtime.Hosting;

namespace GenSlmOrleans.Bench;

/// <summary>A cluster of two processes: this one, with what a silo consists of, and a real silo beside it.</summary>
internal sealed class SiloPair : IAsyncDisposable
{
    /// <summary>The other silo's name.</summary>
    public const string Other = "holder";

    private const string Program = "artifacts/bin/Silo/release/GenSlmOrleans.Silo.dll";
    private const string Cluster = "bench-channel";

    private readonly Process _process;
    private readonly IHost _host;

    private SiloPair(Process process, IHost host) => (_process, _host) = (process, host);

    /// <summary>What the silo here has one of.</summary>
    public T Of<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    /// <summary>Starts both.</summary>
    /// <param name="connections">Of Orleans, from here to the other.</param>
    /// <param name="cancellation">Gives up.</param>
    public static async Task<SiloPair> StartAsync(int connections, CancellationToken cancellation)
    {
        int cursor = SiloPorts.Start;
        var (other, here) = (SiloPorts.Free(ref cursor), SiloPorts.Free(ref cursor));
        var process = StartOther(other);
        try
        {
            await ListensAsync(process, other.Silo, cancellation);
            var host = Host(here, new IPEndPoint(IPAddress.Loopback, other.Silo), connections);
            await host.StartAsync(cancellation);
            await JoinedAsync(process, host.Services.GetRequiredService<Peers>(), cancellation);
            return new SiloPair(process, host);
        }
        catch
        {
            process.Kill();
            throw;
        }
    }

    private static Process StartOther(SiloPorts ports)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true };
        string[] arguments =
        [
            Measurement.InCheckout(Program), "--ends-with-parent", "true", "--name", Other, "--cluster", Cluster, "--devices", "cpu",
            "--silo-port", Measurement.Text(ports.Silo), "--gateway-port", Measurement.Text(ports.Gateway), "--http-port", Measurement.Text(ports.Http), "--cache", Path.Combine(Path.GetTempPath(), "genslm-bench-channel"),
        ];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        return process;
    }

    // Both are up, and each has yet to hear of the other.
    private static async Task JoinedAsync(Process process, Peers peers, CancellationToken cancellation)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (!peers.IsMember(Other) && await pace.WaitForNextTickAsync(cancellation))
            if (process.HasExited) throw new InvalidOperationException($"The silo ended with code {process.ExitCode}.");
    }

    private static async Task ListensAsync(Process process, int port, CancellationToken cancellation)
    {
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (await pace.WaitForNextTickAsync(cancellation))
        {
            if (process.HasExited) throw new InvalidOperationException($"The silo ended with code {process.ExitCode}.");
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port, cancellation);
                return;
            }
            catch (SocketException)
            {
                // Not yet.
            }
        }
    }

    private static IHost Host(SiloPorts ports, IPEndPoint primary, int connections)
    {
        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.UseOrleans(silo =>
        {
            silo.UseLocalhostClustering(ports.Silo, ports.Gateway, primary, Cluster, Cluster);
            silo.UseInMemoryReminderService();
            silo.Configure<SiloOptions>(options => options.SiloName = "sender");
            silo.Configure<ConnectionOptions>(options => options.ConnectionsPerEndpoint = connections);
#pragma warning disable ORLEANSEXP003 // As the product's silos do.
            silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
            silo.Services.AddPlacementDirector<OnNamedSilo, NamedSiloDirector>();
            silo.Services.AddSingleton(TimeProvider.System);
            silo.Services.AddSingleton(new SiloDevices(["cpu"], TimeProvider.System));
            silo.Services.AddSingleton<ComputeThreads>();
            silo.Services.AddSingleton<FileThreads>();
            silo.Services.AddSingleton(services => new TokenStores(Path.GetTempPath(), services.GetRequiredService<FileThreads>()));
            silo.Services.AddSingleton(new SiloMemory(settingBytes: null));
            silo.Services.AddSingleton<SiloDrain>();
            silo.Services.AddSingleton<Peers>();
            silo.Services.AddSingleton<RunPlans>();
            silo.Services.AddSingleton<SiteResources>();
            silo.Services.AddSingleton<SiteStore>();
            silo.Services.AddSingleton(new ClusterMetrics("sender"));
            silo.Services.AddSingleton(new ChannelSettings(IPAddress.Loopback));
            silo.Services.AddTensorChannel();
        });
        return builder.Build();
    }

    /// <summary>Ends both.</summary>
    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }
}
