using System.Net;
using System.Net.Sockets;
using Orleans.Messaging;
using Orleans.Runtime;

namespace GenSlmOrleans.Client;

/// <summary>
/// The gateways of a cluster that take connections at the moment. Silos come and go, and a client that is offered one that
/// has gone spends its time on it.
/// </summary>
/// <param name="known">All gateways that may be there; asked each time.</param>
internal sealed class GatewayList(Func<IReadOnlyList<IPEndPoint>> known) : IGatewayListProvider
{
    private static readonly TimeSpan AcceptTimeout = TimeSpan.FromSeconds(2);

    /// <summary>Whether none of them took a connection when they were last tried.</summary>
    public bool IsEmpty { get; private set; } = true;

    public TimeSpan MaxStaleness { get; } = TimeSpan.FromSeconds(5);

    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public async Task<IList<Uri>> GetGateways()
    {
        var gateways = known();
        var accepting = await Task.WhenAll(gateways.Select(AcceptsAsync));
        IList<Uri> open = [.. gateways.Where((_, i) => accepting[i]).Select(gateway => SiloAddress.New(gateway, 0).ToGatewayUri())];
        IsEmpty = open.Count == 0;
        return open;
    }

    private static async Task<bool> AcceptsAsync(IPEndPoint gateway)
    {
        using var deadline = new CancellationTokenSource(AcceptTimeout);
        try
        {
            using var socket = new Socket(gateway.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            await socket.ConnectAsync(gateway, deadline.Token);
            return true;
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException)
        {
            return false;
        }
    }
}
