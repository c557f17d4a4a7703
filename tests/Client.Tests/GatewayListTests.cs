using System.Net;
using System.Net.Sockets;

namespace GenSlmOrleans.Client.Tests;

/// <summary>Which gateway a console uses, of those that may be there.</summary>
public sealed class GatewayListTests : IDisposable
{
    private readonly List<TcpListener> _listeners = [];

    public void Dispose()
    {
        foreach (var listener in _listeners) listener.Dispose();
    }

    [Fact]
    public async Task A_gateway_that_is_not_there_is_passed_over_and_one_that_is_left_comes_last()
    {
        var (first, second) = (Listen(), Listen());
        var nobody = Listen();
        _listeners[2].Stop();
        var gateways = new GatewayList(() => [nobody, first, second]);
        Assert.Equal([first.Port], await PortsAsync(gateways));
        Assert.Equal([first.Port], await PortsAsync(gateways));
        gateways.Leave();
        Assert.Equal([second.Port], await PortsAsync(gateways));
        gateways.Leave();
        Assert.Equal([first.Port], await PortsAsync(gateways));
        foreach (var listener in _listeners) listener.Stop();
        Assert.Empty(await PortsAsync(gateways));
        Assert.True(gateways.IsEmpty);
    }

    [Fact]
    public async Task The_only_address_is_listed_again_after_its_connection_was_closed()
    {
        var only = Listen();
        var gateways = new GatewayList(() => [only]);
        Assert.Equal([only.Port], await PortsAsync(gateways));
        gateways.Leave();
        Assert.Empty(await PortsAsync(gateways));
        Assert.Equal([only.Port], await PortsAsync(gateways));
        gateways.Distrust();
        Assert.Equal([only.Port], await PortsAsync(gateways));
    }

    private static async Task<IEnumerable<int>> PortsAsync(GatewayList gateways) => (await gateways.GetGateways()).Select(uri => uri.Port);

    private IPEndPoint Listen()
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        _listeners.Add(listener);
        return (IPEndPoint)listener.LocalEndpoint;
    }
}
