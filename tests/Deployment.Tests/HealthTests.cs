using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Silo.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>The kubelet asks a pod's own address; a silo of this machine only answers this machine.</summary>
public sealed class HealthTests
{
    [Theory]
    [InlineData("192.0.2.7", true)]
    [InlineData("2001:db8::7", true)]
    [InlineData("127.0.0.1", false)]
    [InlineData("::1", false)]
    public async Task Health_is_answered_at_every_address_of_a_silo_that_others_reach(string address, bool everywhere)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "127.0.0.2 is an address of this machine on Linux only.");
        var settings = new SiloSettings { Address = IPAddress.Parse(address), HttpPort = FreePort() };
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.AddHealth(settings);
        await using var app = builder.Build();
        await app.StartAsync(TestContext.Current.CancellationToken);
        Assert.True(await AnswersAsync("127.0.0.1", settings.HttpPort));
        Assert.Equal(everywhere, await AnswersAsync("127.0.0.2", settings.HttpPort));
    }

    private static async Task<bool> AnswersAsync(string address, int port)
    {
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(address, port, TestContext.Current.CancellationToken);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
