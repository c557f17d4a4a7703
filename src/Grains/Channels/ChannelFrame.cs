using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>What a silo asks another's partitions over the tensor channel.</summary>
internal enum ChannelCall : byte
{
    /// <summary>Takes a block of a sum of gradients, which follows.</summary>
    Push = 1,

    /// <summary>Sends a block of one vector.</summary>
    Fetch = 2,

    /// <summary>Sends a block of the reduced gradient.</summary>
    FetchReduced = 3,
}

/// <summary>How a call ended.</summary>
internal enum ChannelAnswer : byte
{
    /// <summary>As asked; a block follows where one was asked for.</summary>
    Done = 1,

    /// <inheritdoc cref="StaleMessageException"/>
    Stale = 2,

    /// <inheritdoc cref="HolderFullException"/>
    Full = 3,

    /// <summary>The block did not arrive as it was sent; nothing was changed.</summary>
    Damaged = 4,

    /// <summary>An error: it is asked again as a grain call, which says which.</summary>
    Failed = 5,
}

/// <summary>What came is not what the channel's other end may send: the connection is closed, nothing was changed.</summary>
internal sealed class ChannelFrameException(string message) : Exception(message);

/// <summary>
/// A call's head: 64 bytes with a checksum of their own, then the run's name, then what the shards put in. The block follows in pieces and
/// its checksum behind it, so that neither end passes over it twice.
/// </summary>
internal sealed record ChannelRequest(ChannelCall Call, string RunId, int Partition, long Step, long Generation, TreeNode Node, BlockKind Kind, int Block, int Length, int TotalsSizeBytes)
{
    public const int HeadSizeBytes = 64;
    public const int LongestRunId = 1024;
    public const int MostTotals = 16 << 20;

    private const uint Magic = 0x314D5347;
    private const int CheckedSizeBytes = 48;

    // Which vector, and above it what its values travel in.
    private const int PrecisionShift = 4;
    private const byte KindMask = (1 << PrecisionShift) - 1;

    /// <summary>What the values that follow, or are asked for, travel in.</summary>
    public Precision Precision { get; init; }

    public Fence Fence => new(RunId, Step, Generation);

    /// <summary>The head and the run's name.</summary>
    public byte[] Encode()
    {
        var name = Encoding.UTF8.GetBytes(RunId);
        var bytes = new byte[HeadSizeBytes + name.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, Magic);
        bytes[4] = (byte)Call;
        bytes[5] = (byte)((byte)Kind | ((int)Precision << PrecisionShift));
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(6), checked((ushort)name.Length));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), Partition);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), Block);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(16), Length);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(20), TotalsSizeBytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(24), Step);
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(32), Generation);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(40), Node.Level);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(44), Node.Index);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(CheckedSizeBytes), XxHash3.HashToUInt64(bytes.AsSpan(0, CheckedSizeBytes)));
        name.CopyTo(bytes.AsSpan(HeadSizeBytes));
        return bytes;
    }

    /// <summary>Reads a head; the run's name, of as many bytes as are returned, is still to come.</summary>
    /// <exception cref="ChannelFrameException">It is none.</exception>
    public static (ChannelRequest Request, int NameSizeBytes) Decode(ReadOnlySpan<byte> head)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(head) != Magic) throw new ChannelFrameException("it does not begin as a call does");
        if (BinaryPrimitives.ReadUInt64LittleEndian(head[CheckedSizeBytes..]) != XxHash3.HashToUInt64(head[..CheckedSizeBytes])) throw new ChannelFrameException("a call's head is damaged");
        int name = BinaryPrimitives.ReadUInt16LittleEndian(head[6..]);
        var request = new ChannelRequest(
            (ChannelCall)head[4],
            "",
            Bounded(head, 8, "partition", int.MaxValue),
            BinaryPrimitives.ReadInt64LittleEndian(head[24..]),
            BinaryPrimitives.ReadInt64LittleEndian(head[32..]),
            new TreeNode(Bounded(head, 40, "tree level", 64), Bounded(head, 44, "tree place", int.MaxValue)),
            (BlockKind)(head[5] & KindMask),
            Bounded(head, 12, "block", int.MaxValue),
            Bounded(head, 16, "number of values", BlockBuffers.Length),
            Bounded(head, 20, "size of the totals", MostTotals))
        {
            Precision = (Precision)(head[5] >> PrecisionShift),
        };
        if (!Enum.IsDefined(request.Call)) throw new ChannelFrameException($"there is no call {head[4]}");
        if (!Enum.IsDefined(request.Kind) || !Enum.IsDefined(request.Precision)) throw new ChannelFrameException($"there is no vector {head[5]}");
        if (name is 0 or > LongestRunId) throw new ChannelFrameException($"a run's name has {name} bytes; expected 1 to {LongestRunId}");
        return (request, name);
    }

    private static int Bounded(ReadOnlySpan<byte> head, int offset, string what, int most)
    {
        int value = BinaryPrimitives.ReadInt32LittleEndian(head[offset..]);
        return value >= 0 && value <= most ? value : throw new ChannelFrameException($"a call's {what} is {value}; expected 0 to {most}");
    }
}
