using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Model;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>The channel to a silo does not work just now; what was asked may have been done or not.</summary>
internal sealed class ChannelBrokenException(string message) : Exception(message);

/// <summary>
/// The way to another silo's partitions: a few connections, each with a thread that takes calls from one queue, sends what goes with them
/// from where it lies, and waits for the answer. Ends when the silo does.
/// </summary>
internal sealed class ChannelPeer : IDisposable
{
    // While one waits for its answer, another sends.
    private const int Connections = 2;

    // A silo that lives answers at once; one that does not is taken out by the membership long before.
    private static readonly TimeSpan AnswerPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(2);

    private readonly WorkQueue<Action<ChannelSocket?>> _calls = new();
    private readonly ChannelOffer _offer;
    private readonly TotalsCodec _totals;
    private readonly string _own;
    private readonly Lock _lock = new();
    private readonly HashSet<ChannelSocket> _open = [];
    private readonly ManualResetEventSlim _closed = new();
    private readonly TaskCompletionSource _connected = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <param name="offer">Where it listens.</param>
    /// <param name="own">The silo here.</param>
    /// <param name="totals">Writes what goes with a push.</param>
    public ChannelPeer(ChannelOffer offer, string own, TotalsCodec totals)
    {
        (_offer, _own, _totals) = (offer, own, totals);
        for (int i = 0; i < Connections; i++) new Thread(Work) { IsBackground = true, Name = $"channel out {i}" }.Start();
    }

    /// <summary>Completes when there has been a connection.</summary>
    public Task Connected => _connected.Task;

    /// <summary>Why there is none; null when there is, or none has been tried.</summary>
    public string? Objection { get; private set; }

    /// <summary>Whether calls are taken.</summary>
    public bool IsOpen
    {
        get
        {
            lock (_lock) return _open.Count > 0;
        }
    }

    /// <summary>Contributes a block; its values are read until the task ends.</summary>
    /// <exception cref="ChannelBrokenException">The channel does not work.</exception>
    public Task PushAsync(int partition, Fence fence, TreeNode node, ImmutableArray<ShardTotals> shards, Block block)
    {
        var totals = _totals.Encode(shards);
        var head = new ChannelRequest(ChannelCall.Push, fence.RunId, partition, fence.Step, fence.Generation, node, default, block.Index, block.Length, totals.Length) { Precision = block.WirePrecision }.Encode();
        return CallAsync(socket =>
        {
            socket.Send(head);
            socket.Send(totals);
            socket.SendValues(block.Values, block.WirePrecision);
            ChannelReply.Receive(socket).ThrowUnlessDone();
            return true;
        });
    }

    /// <summary>One block of one vector.</summary>
    /// <exception cref="ChannelBrokenException">The channel does not work.</exception>
    public Task<Block> FetchAsync(int partition, Fence fence, BlockKind kind, int block, Precision precision) =>
        FetchAsync(new ChannelRequest(ChannelCall.Fetch, fence.RunId, partition, fence.Step, fence.Generation, default, kind, block, 0, 0) { Precision = precision });

    /// <summary>One block of the reduced gradient.</summary>
    /// <exception cref="ChannelBrokenException">The channel does not work.</exception>
    public Task<Block> FetchReducedAsync(int partition, Fence fence, int block, Precision precision) =>
        FetchAsync(new ChannelRequest(ChannelCall.FetchReduced, fence.RunId, partition, fence.Step, fence.Generation, default, default, block, 0, 0) { Precision = precision });

    private Task<Block> FetchAsync(ChannelRequest request) => CallAsync(socket =>
    {
        socket.Send(request.Encode());
        var reply = ChannelReply.Receive(socket);
        reply.ThrowUnlessDone();
        var block = Block.Rent(request.Block, reply.Length);
        block.WirePrecision = request.Precision;
        try
        {
            if (socket.TryReceiveValues(block.Values, out _, request.Precision)) return block;
            throw new ChannelBrokenException($"Block {request.Block} of run {request.RunId} arrived with another checksum than it was sent with.");
        }
        catch
        {
            block.Dispose();
            throw;
        }
    });

    private Task<T> CallAsync<T>(Func<ChannelSocket, T> call)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            _calls.Add(socket => Complete(completion, call, socket));
        }
        catch (InvalidOperationException)
        {
            completion.SetException(Broken());
        }

        return completion.Task;
    }

#pragma warning disable CA1031 // Whatever it throws belongs to whoever awaits it; a connection that fails is made again.
    private void Complete<T>(TaskCompletionSource<T> completion, Func<ChannelSocket, T> call, ChannelSocket? socket)
    {
        if (socket is null)
        {
            completion.SetException(Broken());
            return;
        }

        try
        {
            completion.SetResult(call(socket));
        }
        catch (Exception exception) when (exception is SocketException or IOException or ObjectDisposedException or ChannelFrameException)
        {
            Objection = exception.Message;
            Drop(socket);
            completion.SetException(Broken());
        }
        catch (Exception exception)
        {
            completion.SetException(exception);
        }
    }
#pragma warning restore CA1031

    private ChannelBrokenException Broken() => new($"The channel to {_offer.Address}:{_offer.Port} does not work: {Objection ?? "it is closed"}");

    private void Work()
    {
        Niceness.LowerOwnThread();
        while (!_closed.IsSet)
        {
            if (Connect() is { } socket)
            {
                while (IsAlive(socket) && _calls.TryTake(out var call, waits: true)) call(socket);
                Drop(socket);
            }

            // Nobody waits for a connection that may never come.
            while (!IsOpen && _calls.TryTake(out var call)) call(null);
            _closed.Wait(Pause);
        }

        while (_calls.TryTake(out var call)) call(null);
    }

    private ChannelSocket? Connect()
    {
        var socket = new Socket(IPAddress.Parse(_offer.Address).AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Parse(_offer.Address), _offer.Port);
            var made = new ChannelSocket(socket) { Patience = AnswerPatience };
            ChannelGreeting.Greet(made, _offer.Key.AsSpan(), _own);
            lock (_lock)
            {
                if (_closed.IsSet) throw new IOException("The silo is gone.");
                _open.Add(made);
            }

            Objection = null;
            _connected.TrySetResult();
            return made;
        }
        catch (Exception exception) when (exception is SocketException or IOException or ChannelFrameException)
        {
            Objection = exception.Message;
            socket.Dispose();
            return null;
        }
    }

    private bool IsAlive(ChannelSocket socket)
    {
        lock (_lock) return _open.Contains(socket);
    }

    private void Drop(ChannelSocket socket)
    {
        lock (_lock) _open.Remove(socket);
        socket.Dispose();
    }

    /// <summary>Breaks off what is under way and takes no more: the silo is gone.</summary>
    public void Dispose()
    {
        ChannelSocket[] open;
        lock (_lock)
        {
            _closed.Set();
            open = [.. _open];
        }

        _calls.Close();
        foreach (var socket in open) Drop(socket);
        // Its threads may be waiting for a connection.
        while (_calls.TryTake(out var call)) call(null);
    }
}
