using System.Buffers.Binary;
using System.IO.Hashing;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>
/// A connection of the tensor channel. Its calls block, on threads of their own: an asynchronous socket moves half as much. Values go
/// from and into the memory where they are wanted, in pieces whose checksum is taken while they are in the cache.
/// </summary>
internal sealed class ChannelSocket : IDisposable
{
    // A piece and what the kernel copies it to fit a core's own cache.
    private const int PieceSizeBytes = 256 << 10;

    private const int PieceLength = PieceSizeBytes / sizeof(float);

    private readonly Socket _socket;
    private ushort[]? _halves;

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

    /// <summary>Sends values, rounded to <paramref name="precision"/>, and the XXH3-64 of what was sent behind them.</summary>
    public void SendValues(ReadOnlySpan<float> values, Precision precision = Precision.Fp32)
    {
        var hash = new XxHash3();
        while (!values.IsEmpty)
        {
            var piece = values[..Math.Min(PieceLength, values.Length)];
            values = values[piece.Length..];
            var bytes = precision == Precision.Bf16 ? Narrowed(piece) : MemoryMarshal.AsBytes(piece);
            // Sending brings them into the cache; read there, they cost the hash a third.
            Send(bytes);
            hash.Append(bytes);
        }

        Span<byte> checksum = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(checksum, hash.GetCurrentHashAsUInt64());
        Send(checksum);
    }

    /// <summary>Receives values of <paramref name="precision"/> into place, and says their XXH3-64; false when they are not those that were sent.</summary>
    /// <param name="values">Where they go, as fp32.</param>
    /// <param name="checksum">Of the fp32 values.</param>
    /// <param name="precision">What they are sent in.</param>
    public bool TryReceiveValues(Span<float> values, out ulong checksum, Precision precision = Precision.Fp32)
    {
        var sentHash = new XxHash3();
        var valuesHash = precision == Precision.Bf16 ? new XxHash3() : sentHash;
        while (!values.IsEmpty)
        {
            var piece = values[..Math.Min(PieceLength, values.Length)];
            values = values[piece.Length..];
            if (precision == Precision.Bf16)
            {
                var halves = Halves(piece.Length);
                Receive(MemoryMarshal.AsBytes(halves));
                sentHash.Append(MemoryMarshal.AsBytes(halves));
                Bf16.Widen(halves, piece);
            }
            else
            {
                Receive(MemoryMarshal.AsBytes(piece));
            }

            valuesHash.Append(MemoryMarshal.AsBytes(piece));
        }

        Span<byte> sent = stackalloc byte[sizeof(ulong)];
        Receive(sent);
        checksum = valuesHash.GetCurrentHashAsUInt64();
        return BinaryPrimitives.ReadUInt64LittleEndian(sent) == sentHash.GetCurrentHashAsUInt64();
    }

    private ReadOnlySpan<byte> Narrowed(ReadOnlySpan<float> piece)
    {
        var halves = Halves(piece.Length);
        Bf16.Narrow(piece, halves);
        return MemoryMarshal.AsBytes(halves);
    }

    // One thread at a time is at a connection.
    private Span<ushort> Halves(int length) => (_halves ??= new ushort[PieceLength]).AsSpan(0, length);

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
