using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Model;
using Microsoft.Extensions.Logging;
using Orleans.Runtime;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>Where a silo listens for other silos' blocks.</summary>
/// <param name="Address">The address that others reach it at.</param>
/// <param name="Port">The port; 0: any that is free.</param>
/// <param name="IsOn">Whether there is a channel at all; without, blocks are grain calls.</param>
public sealed record ChannelSettings(IPAddress Address, int Port = 0, bool IsOn = true);

/// <summary>
/// This silo's end of the tensor channel: lets in other silos of the cluster and does what they ask of the partitions here, each connection
/// on a thread of its own. A connection on which anything comes that does not belong there is closed, with one line in the log.
/// </summary>
public sealed class TensorListener : IDisposable
{
    private const int MostConnections = 1024;
    private static readonly TimeSpan GreetingPatience = TimeSpan.FromSeconds(5);

    // Where no connection can be taken in, because the process has too many files open, it is not tried without end.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    private readonly ConcurrentDictionary<ChannelSocket, bool> _connections = new();
    private readonly PartitionDoor _door;
    private readonly TotalsCodec _totals;
    private readonly ILogger<TensorListener> _log;
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(ChannelGreeting.KeySizeBytes);
    private readonly Socket? _socket;
    private readonly ManualResetEventSlim _closed = new();
    private long _callsAnswered;

    public TensorListener(ChannelSettings settings, PartitionDoor door, TotalsCodec totals, ILogger<TensorListener> log)
    {
        (_door, _totals, _log) = (door, totals, log);
        if (!settings.IsOn) return;
        var socket = new Socket(settings.Address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            bool isLoopback = IPAddress.IsLoopback(settings.Address);
            socket.Bind(new IPEndPoint(isLoopback ? settings.Address : settings.Address.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any, settings.Port));
            socket.Listen();
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            log.ChannelNotOpened(settings.Port, exception.Message);
            return;
        }

        _socket = socket;
        Offer = new ChannelOffer(settings.Address.ToString(), ((IPEndPoint)socket.LocalEndPoint!).Port, [.. _key]);
        new Thread(Accept) { IsBackground = true, Name = "channel" }.Start();
    }

    /// <summary>How many calls have been answered.</summary>
    public long CallsAnswered => Interlocked.Read(ref _callsAnswered);

    /// <summary>Where it listens; null: nowhere.</summary>
    public ChannelOffer? Offer { get; }

    private void Accept()
    {
        while (!_closed.IsSet)
        {
            try
            {
                var accepted = new ChannelSocket(_socket!.Accept());
                if (_connections.Count >= MostConnections)
                {
                    accepted.Dispose();
                    continue;
                }

                _connections[accepted] = true;
                new Thread(() => Serve(accepted)) { IsBackground = true, Name = "channel in" }.Start();
            }
            catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
            {
                // One that was gone before it was let in; or the end.
                _closed.Wait(Pause);
            }
        }
    }

    private void Serve(ChannelSocket socket)
    {
        Niceness.LowerOwnThread();
        var who = "somebody";
        try
        {
            socket.Patience = GreetingPatience;
            who = ChannelGreeting.Receive(socket, _key);
            socket.Patience = TimeSpan.Zero;
            var session = new ChannelSession(socket, _door, _totals);
            for (; !_closed.IsSet; Interlocked.Increment(ref _callsAnswered)) session.ServeNext();
        }
        catch (ChannelFrameException exception)
        {
            _log.ChannelClosed(who, exception.Message);
        }
        catch (Exception exception) when (exception is SocketException or IOException or ObjectDisposedException)
        {
            // The other end has left, or this one does.
        }
#pragma warning disable CA1031 // On a thread of our own it would end the silo: it is the connection's end, and whoever asked asks as a grain call.
        catch (Exception exception)
        {
            _log.ChannelClosed(who, exception.Message);
        }
#pragma warning restore CA1031
        finally
        {
            _connections.TryRemove(socket, out _);
            socket.Dispose();
        }
    }

    /// <summary>Closes everything.</summary>
    public void Dispose()
    {
        _closed.Set();
        _socket?.Dispose();
        foreach (var connection in _connections.Keys) connection.Dispose();
    }
}
