using System.Buffers.Binary;
using System.Text;
using GenSlmOrleans.Abstractions;
using Orleans.Serialization;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>How a call ended, on the wire: 8 bytes, then a sentence; the block follows where one was asked for.</summary>
/// <param name="Answer">How.</param>
/// <param name="Length">Values of the block that follows.</param>
/// <param name="Message">What is to be said of it, in UTF-8.</param>
internal sealed record ChannelReply(ChannelAnswer Answer, int Length, byte[] Message)
{
    private const int HeadSizeBytes = 8;

    public byte[] Encode()
    {
        var bytes = new byte[HeadSizeBytes + Message.Length];
        bytes[0] = (byte)Answer;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(2), checked((ushort)Message.Length));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(4), Length);
        Message.CopyTo(bytes.AsSpan(HeadSizeBytes));
        return bytes;
    }

    /// <exception cref="ChannelFrameException">What came is no answer.</exception>
    public static ChannelReply Receive(ChannelSocket socket)
    {
        Span<byte> head = stackalloc byte[HeadSizeBytes];
        socket.Receive(head);
        var message = new byte[BinaryPrimitives.ReadUInt16LittleEndian(head[2..])];
        socket.Receive(message);
        var reply = new ChannelReply((ChannelAnswer)head[0], BinaryPrimitives.ReadInt32LittleEndian(head[4..]), message);
        if (!Enum.IsDefined(reply.Answer)) throw new ChannelFrameException($"there is no answer {head[0]}");
        return reply.Length is >= 0 and <= BlockBuffers.Length ? reply : throw new ChannelFrameException($"an answer has {reply.Length} values; expected 0 to {BlockBuffers.Length}");
    }

    /// <summary>Nothing when it was done; otherwise what the same call through Orleans would have thrown.</summary>
    public void ThrowUnlessDone()
    {
        var message = Encoding.UTF8.GetString(Message);
        switch (Answer)
        {
            case ChannelAnswer.Stale: throw new StaleMessageException(message);
            case ChannelAnswer.Full: throw new HolderFullException(message);
            case ChannelAnswer.Damaged: throw new SerializerException(message);
            case ChannelAnswer.Failed: throw new ChannelBrokenException(message);
            default: return;
        }
    }
}
