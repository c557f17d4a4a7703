using System.Collections.Immutable;
using System.Text;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Parameters;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>Does what the other end of a connection asks, one call after the other.</summary>
internal sealed class ChannelSession(ChannelSocket socket, PartitionDoor door, TotalsCodec totals)
{
    private const int LongestMessage = 4096;

    /// <summary>Waits for the next call and answers it.</summary>
    /// <exception cref="ChannelFrameException">What came is none.</exception>
    public void ServeNext()
    {
        Span<byte> head = stackalloc byte[ChannelRequest.HeadSizeBytes];
        socket.Receive(head);
        var (request, nameSizeBytes) = ChannelRequest.Decode(head);
        Span<byte> name = stackalloc byte[nameSizeBytes];
        socket.Receive(name);
        request = request with { RunId = Encoding.UTF8.GetString(name) };
        var shards = new byte[request.TotalsSizeBytes];
        socket.Receive(shards);
        if (request.Call == ChannelCall.Push) ServePush(request, shards);
        else ServeFetch(request);
    }

    private void ServePush(ChannelRequest request, byte[] shards)
    {
        var buffer = BlockBuffers.Rent(request.Length);
        bool isWhole;
        ulong checksum;
        try
        {
            isWhole = socket.TryReceiveValues(buffer.Values[..request.Length], out checksum, request.Precision);
        }
        catch
        {
            BlockBuffers.Return(buffer);
            throw;
        }

        if (!isWhole)
        {
            BlockBuffers.Return(buffer);
            Answer(ChannelAnswer.Damaged, $"Block {request.Block} of partition {request.Partition} of run {request.RunId} arrived with another checksum than it was sent with.");
            return;
        }

        Answered(() => door.Push(request.Fence, request.Partition, request.Node, Totals(shards, buffer), request.Block, request.Length, buffer, checksum), () => Answer(ChannelAnswer.Done, ""));
    }

    private ImmutableArray<ShardTotals> Totals(byte[] bytes, NativeVector buffer)
    {
        try
        {
            return totals.Decode(bytes);
        }
        catch
        {
            BlockBuffers.Return(buffer);
            throw;
        }
    }

    private void ServeFetch(ChannelRequest request)
    {
        Block? block = null;
        Answered(
            () => block = request.Call == ChannelCall.Fetch
                ? door.Fetch(request.Fence, request.Partition, request.Kind, request.Block, request.Precision)
                : door.FetchReduced(request.Fence, request.Partition, request.Block, request.Precision),
            () =>
            {
                using var sent = block!;
                Answer(ChannelAnswer.Done, "", sent.Length);
                socket.SendValues(sent.Values, sent.WirePrecision);
            });
    }

#pragma warning disable CA1031 // Whatever went wrong here, the other end is told that something did.
    private void Answered(Action work, Action done)
    {
        try
        {
            work();
        }
        catch (StaleMessageException exception)
        {
            Answer(ChannelAnswer.Stale, exception.Message);
            return;
        }
        catch (HolderFullException exception)
        {
            Answer(ChannelAnswer.Full, exception.Message);
            return;
        }
        catch (Exception exception)
        {
            Answer(ChannelAnswer.Failed, exception.Message);
            return;
        }

        done();
    }
#pragma warning restore CA1031

    private void Answer(ChannelAnswer answer, string message, int length = 0)
    {
        var text = Encoding.UTF8.GetBytes(message);
        socket.Send(new ChannelReply(answer, length, text.AsSpan(0, Math.Min(text.Length, LongestMessage)).ToArray()).Encode());
    }
}
