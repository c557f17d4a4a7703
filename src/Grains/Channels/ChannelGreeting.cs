using System.Security.Cryptography;
using System.Text;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>
/// How a connection begins: the one that connects says who it is and the key that the other has told the members of its cluster,
/// through Orleans alone; it is answered by one byte.
/// </summary>
internal static class ChannelGreeting
{
    public const int KeySizeBytes = 32;

    private const int LongestName = 255;
    private static readonly byte[] Magic = "GenSLM tensors 1"u8.ToArray();

    private const byte Welcome = 1;

    /// <summary>Says who we are and waits to be let in.</summary>
    /// <exception cref="EndOfStreamException">We are not.</exception>
    public static void Greet(ChannelSocket socket, ReadOnlySpan<byte> key, string silo)
    {
        var name = Encoding.UTF8.GetBytes(silo);
        socket.Send([.. Magic, .. key, checked((byte)Math.Min(name.Length, LongestName)), .. name.AsSpan(0, Math.Min(name.Length, LongestName))]);
        Span<byte> answer = stackalloc byte[1];
        socket.Receive(answer);
        if (answer[0] != Welcome) throw new ChannelFrameException("the greeting was answered by something else");
    }

    /// <summary>Lets in whoever knows the key; says who it is.</summary>
    /// <exception cref="ChannelFrameException">It does not.</exception>
    public static string Receive(ChannelSocket socket, ReadOnlySpan<byte> key)
    {
        Span<byte> head = stackalloc byte[Magic.Length + KeySizeBytes + 1];
        socket.Receive(head);
        if (!head[..Magic.Length].SequenceEqual(Magic)) throw new ChannelFrameException("it does not begin with the channel's greeting");
        if (!CryptographicOperations.FixedTimeEquals(head.Slice(Magic.Length, KeySizeBytes), key)) throw new ChannelFrameException("it does not know this silo's key");
        Span<byte> name = stackalloc byte[head[^1]];
        socket.Receive(name);
        socket.Send([Welcome]);
        return Encoding.UTF8.GetString(name);
    }
}
