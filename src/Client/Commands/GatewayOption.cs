using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Commands;

/// <summary>Which cluster a command speaks to: --gateway, else GENSLM_GATEWAY, else the one that 'genslm up' started.</summary>
internal static class GatewayOption
{
    private const string Expected = "expected HOST:PORT, or several separated by commas";

    public static Option<string?> Create() =>
        new("--gateway") { HelpName = "HOST:PORT,…", Description = "the cluster's gateways [GENSLM_GATEWAY, or those of 'genslm up']" };

    /// <summary>Whether GENSLM_GATEWAY names a cluster.</summary>
    public static bool IsInEnvironment => OfEnvironment is not null;

    private static string? OfEnvironment => Environment.GetEnvironmentVariable("GENSLM_GATEWAY") is { Length: > 0 } variable ? variable : null;

    /// <summary>Connects to the cluster that is meant.</summary>
    /// <exception cref="UsageException">None is named, or not as it should be.</exception>
    /// <exception cref="ClusterException">It does not answer.</exception>
    public static async Task<ClusterConnection> ConnectAsync(string? option, CancellationToken cancellation)
    {
        if (option is not null) return await ConnectAsync(option, "--gateway", cancellation);
        if (OfEnvironment is { } variable) return await ConnectAsync(variable, "GENSLM_GATEWAY", cancellation);
        var cluster = StandingCluster.Find() ?? throw new ClusterException("No cluster is up on this machine: 'genslm up' starts one, --gateway HOST:PORT names another.");
        if (!cluster.LiveSilos.Any()) throw new ClusterException("No silo of the cluster that was started on this machine is alive; 'genslm silo' adds one, 'genslm down' stops what is left.");
        StandingCluster Now() => StandingCluster.Find() ?? cluster;
        return await ClusterConnection.OpenAsync(
            () => Gateways(Now()), cluster.Name, cancellation, ClusterPresence.OfStanding(() => Now().LiveSilos.Select(silo => silo.Name)));
    }

    private static IPEndPoint[] Gateways(StandingCluster cluster) => [.. cluster.LiveSilos.Select(silo => silo.Ports.GatewayEndPoint)];

    private static async Task<ClusterConnection> ConnectAsync(string text, string source, CancellationToken cancellation)
    {
        List<IPEndPoint> gateways = [];
        foreach (var part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)) gateways.AddRange(await ResolveAsync(part, source, cancellation));
        if (gateways.Count == 0) throw new UsageException($"{source} is '{text}'; {Expected}.");
        return await ClusterConnection.OpenAsync(() => gateways, ClusterConnection.DefaultCluster, cancellation);
    }

    // All of a host's addresses: a headless service's are those of its pods, and one may be leaving.
    private static async Task<IEnumerable<IPEndPoint>> ResolveAsync(string text, string source, CancellationToken cancellation)
    {
        int colon = text.LastIndexOf(':');
        if (colon < 1 || !ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port) || port == 0)
            throw new UsageException($"{source} has '{text}'; {Expected}.");
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(text[..colon].Trim('[', ']'), cancellation);
            return addresses.OrderBy(address => address.AddressFamily != AddressFamily.InterNetwork).Select(address => new IPEndPoint(address, port));
        }
        catch (SocketException exception)
        {
            throw new ClusterException($"{source} has '{text}', but the host {text[..colon]} is not known: {exception.Message}");
        }
    }
}
