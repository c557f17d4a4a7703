using System.Buffers.Binary;
using System.IO.Hashing;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>
/// A connection of the tensor channel. Its calls block, on threads of their own: an asynchronous socket moves half as much. Values go
/// from and into the memory where they are wanted, in pieces whose checksum is taken while they are in the cache.
/// </summary>
internal sealed class ChannelSocket : IDisposable
{
    // A piece and what the kernel copies it to fit a core's own cache.
    private const int PieceSizeBytes = 256 << 10;

    private readonly Socket _socket;

    public ChannelSocket(Socket socket)
    {
        _socket = socket;
        socket.NoDelay = true;
        // A machine that is gone says nothing: those who wait for its next call find out.
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 30);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 5);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 3);
    }

    /// <summary>How long a call may wait for the other end; zero: for ever.</summary>
    public TimeSpan Patience
    {
        set => _socket.ReceiveTimeout = _socket.SendTimeout = (int)value.TotalMilliseconds;
    }

    /// <summary>Sends all bytes.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[_socket.Send(bytes)..];
    }

    /// <summary>Receives as many bytes as there is room for.</summary>
    /// <exception cref="EndOfStreamException">The other end has closed the connection.</exception>
    public void Receive(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int received = _socket.Receive(bytes);
            if (received == 0) throw new EndOfStreamException("The connection was closed.");
            bytes = bytes[received..];
        }
    }

    /// <summary>Sends values and their XXH3-64 behind them.</summary>
    public void SendValues(ReadOnlySpan<float> values)
    {
        var hash = new XxHash3();
        var bytes = MemoryMarshal.AsBytes(values);
        while (!bytes.IsEmpty)
        {
            var piece = bytes[..Math.Min(PieceSizeBytes, bytes.Length)];
            hash.Append(piece);
            Send(piece);
            bytes = bytes[piece.Length..];
        }

        Span<byte> checksum = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(checksum, hash.GetCurrentHashAsUInt64());
        Send(checksum);
    }

    /// <summary>Receives values into place, and says their XXH3-64; false when they are not those that were sent.</summary>
    public bool TryReceiveValues(Span<float> values, out ulong checksum)
    {
        var hash = new XxHash3();
        var bytes = MemoryMarshal.AsBytes(values);
        while (!bytes.IsEmpty)
        {
            var piece = bytes[..Math.Min(PieceSizeBytes, bytes.Length)];
            Receive(piece);
            hash.Append(piece);
            bytes = bytes[piece.Length..];
        }

        Span<byte> sent = stackalloc byte[sizeof(ulong)];
        Receive(sent);
        checksum = hash.GetCurrentHashAsUInt64();
        return BinaryPrimitives.ReadUInt64LittleEndian(sent) == checksum;
    }

    /// <summary>Says that nothing more comes from here.</summary>
    public void ShutdownSend() => _socket.Shutdown(SocketShutdown.Send);

    /// <summary>Closes the connection; a thread that waits on it wakes up with an error.</summary>
    public void Dispose()
    {
        try
        {
            _socket.Shutdown(SocketShutdown.Both);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It is closed already.
        }

        _socket.Dispose();
    }
}
