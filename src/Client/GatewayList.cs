using System.Net;
using System.Net.Sockets;
using Orleans.Messaging;
using Orleans.Runtime;

namespace GenSlmOrleans.Client;

/// <summary>
/// The gateway a client uses: of all that may be there, one that takes connections and answers. One and not all of them, so that
/// a client that gets no answer knows whom to leave; Orleans closes its connection to a gateway that is not listed any more.
/// </summary>
/// <param name="known">All gateways that may be there; asked each time.</param>
internal sealed class GatewayList(Func<IReadOnlyList<IPEndPoint>> known) : IGatewayListProvider
{
    private static readonly TimeSpan AcceptTimeout = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly Dictionary<IPEndPoint, long> _left = [];
    private IPEndPoint? _current;
    private IPEndPoint? _closing;

    /// <summary>Whether none of them took a connection when they were last tried.</summary>
    public bool IsEmpty { get; private set; } = true;

    public TimeSpan MaxStaleness { get; } = TimeSpan.FromSeconds(1);

    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    /// <summary>
    /// The gateway in use does not answer: the next is another. Where there is only one address, as of a service with many
    /// silos behind it, none is listed once, so that the connection is closed and the next one may lead elsewhere.
    /// </summary>
    public void Leave()
    {
        lock (_gate)
        {
            _closing = _current;
            Distrust();
        }
    }

    /// <summary>No connection came about with the gateway in use: others are tried before it.</summary>
    public void Distrust()
    {
        lock (_gate)
        {
            if (_current is not null) _left[_current] = TimeProvider.System.GetTimestamp();
            _current = null;
        }
    }

    public async Task<IList<Uri>> GetGateways()
    {
        var gateway = await FirstThatAcceptsAsync(InOrderOfTrust(), CancellationToken.None);
        IsEmpty = gateway is null;
        return gateway is not null && Use(gateway) ? [SiloAddress.New(gateway, 0).ToGatewayUri()] : [];
    }

    /// <summary>The first that takes a connection; null: none does.</summary>
    public static async Task<IPEndPoint?> FirstThatAcceptsAsync(IEnumerable<IPEndPoint> gateways, CancellationToken cancellation)
    {
        foreach (var gateway in gateways)
            if (await AcceptsAsync(gateway, cancellation)) return gateway;
        return null;
    }

    private bool Use(IPEndPoint gateway)
    {
        lock (_gate)
        {
            bool isToClose = gateway.Equals(_closing);
            _closing = null;
            if (!isToClose) _current = gateway;
            return !isToClose;
        }
    }

    // The one in use, then those that have never been left, then those left longest ago.
    private IPEndPoint[] InOrderOfTrust()
    {
        var gateways = known();
        lock (_gate) return [.. gateways.OrderBy(gateway => gateway.Equals(_current) ? -1 : _left.GetValueOrDefault(gateway))];
    }

    private static async Task<bool> AcceptsAsync(IPEndPoint gateway, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(AcceptTimeout);
        try
        {
            using var socket = new Socket(gateway.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(gateway, deadline.Token);
            return true;
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            return false;
        }
    }
}
