using System.Net;
using System.Net.Sockets;

namespace GenSlmOrleans.Client.Local;

/// <summary>Three free ports of this machine.</summary>
/// <param name="Silo">For other silos.</param>
/// <param name="Gateway">For clients.</param>
/// <param name="Http">For /metrics and /health.</param>
internal sealed record SiloPorts(int Silo, int Gateway, int Http)
{
    // Below the range from which the operating system takes ports for outgoing connections.
    private const int First = 20000;
    private const int End = 32000;

    /// <summary>Where clients on this machine connect to.</summary>
    public IPEndPoint GatewayEndPoint => new(IPAddress.Loopback, Gateway);

    /// <summary>Finds free ports, beginning at a place of this process's own so that consoles side by side do not meet.</summary>
    public static SiloPorts Free(ref int cursor)
    {
        return new SiloPorts(Next(ref cursor), Next(ref cursor), Next(ref cursor));
    }

    /// <summary>Where this process begins to look.</summary>
    public static int Start => First + (int)(Environment.ProcessId * 37L % (End - First));

    /// <summary>One free port.</summary>
    public static int Next(ref int cursor)
    {
        for (int tries = 0; tries < End - First; tries++)
        {
            cursor = cursor + 1 < End ? cursor + 1 : First;
            if (IsFree(cursor)) return cursor;
        }

        throw new ClusterException($"No port from {First} to {End} is free.");
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
