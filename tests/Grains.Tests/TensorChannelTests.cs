using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Blocks go past Orleans, to the same bits; whatever else comes on that way closes its connection and touches nothing.</summary>
public sealed class TensorChannelTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task Blocks_take_the_channel_where_there_is_one_and_the_weights_are_the_same_without()
    {
        await using var without = await TestCluster.StartAsync(2, hasChannel: false);
        var expected = await without.RunAsync("run", Spec(without), Tiny);
        Assert.All(without.Silos, silo => Assert.Null(without.Of<TensorListener>(silo).Offer));
        await using var cluster = await TestCluster.StartAsync(2);
        var end = await cluster.RunAsync("run", Spec(cluster), Tiny);
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal((expected.WeightsSha256, expected.LedgerHead), (end.WeightsSha256, end.LedgerHead));
        // Each silo pushes at least one sum a step to the copy on the other.
        Assert.All(cluster.Silos, silo => Assert.True(cluster.Of<TensorListener>(silo).CallsAnswered >= end.Step, $"{silo}: {cluster.Of<TensorListener>(silo).CallsAnswered} calls"));
    }

    [Fact]
    public async Task A_run_whose_channel_is_closed_goes_on_with_grain_calls()
    {
        await using var cluster = await TestCluster.StartAsync(2);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        var run = await cluster.StartRunAsync("run", Spec(cluster) with { MaxSteps = 30 }, Tiny);
        await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.Step >= 2, "two steps");
        foreach (var silo in cluster.Silos) cluster.Of<TensorListener>(silo).Dispose();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        Assert.Equal((0L, 0L), (end.ReplayedSteps, end.RepeatedMicroBatches));
        Assert.Equal(30, end.Step);
        Assert.Equal(RunState.Completed, expected.State);
    }

    [Fact]
    public async Task Whoever_does_not_know_the_key_or_the_greeting_is_not_let_in()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var offer = cluster.Of<TensorListener>(cluster.Silos[0]).Offer!;
        var foreign = new byte[ChannelGreeting.KeySizeBytes];
        Assert.Throws<EndOfStreamException>(() => Greeted(offer, foreign));
        using var plain = Connected(offer);
        plain.Send("GET / HTTP/1.1\r\nHost: genslm\r\nUser-Agent: somebody else altogether\r\n\r\n"u8);
        AssertClosed(plain);
        using var greeted = Greeted(offer, offer.Key.AsSpan());
        greeted.Send(new ChannelRequest(ChannelCall.Fetch, "nobody", 0, 1, 1, default, default, 0, 0, 0).Encode());
        Assert.Equal(ChannelAnswer.Stale, ChannelReply.Receive(greeted).Answer);
    }

    [Fact]
    public async Task Damaged_calls_touch_nothing()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var expected = await cluster.RunAsync("undisturbed", Spec(cluster), Tiny);
        var offer = cluster.Of<TensorListener>(cluster.Silos[0]).Offer!;
        using var hold = new HeldPhase("before-push", step: 2);
        var run = await cluster.StartRunAsync("run", Spec(cluster), Tiny);
        await hold.ReachedAsync();
        // The run is at its second step and waits: whatever of this were taken would be in its weights.
        var random = new Random(20261130);
        for (int i = 0; i < 300; i++) Damage(offer, random);
        using (var greeted = Greeted(offer, offer.Key.AsSpan()))
        {
            // Whole, but for the values' checksum.
            greeted.Send(Push(length: 1000));
            greeted.Send(new byte[1000 * sizeof(float)]);
            greeted.Send(new byte[sizeof(ulong)]);
            Assert.Equal(ChannelAnswer.Damaged, ChannelReply.Receive(greeted).Answer);
            // Whole, of a length that the block does not have, and for a node that the tree does not have.
            greeted.Send(Push(length: 1000));
            greeted.SendValues(new float[1000]);
            Assert.Equal(ChannelAnswer.Stale, ChannelReply.Receive(greeted).Answer);
            int length = (int)GptNeoXStateDict.ParameterCount(Tiny);
            greeted.Send(new ChannelRequest(ChannelCall.Push, "run", 0, 2, 1, new TreeNode(64, 7), default, 0, length, 0).Encode());
            greeted.SendValues(new float[length]);
            Assert.Equal(ChannelAnswer.Stale, ChannelReply.Receive(greeted).Answer);
        }

        hold.Release();
        var end = await TestCluster.UntilAsync(() => run.GetStatusAsync(0), status => status.IsOver, "the end");
        Assert.Equal((expected.WeightsSha256, RunState.Completed), (end.WeightsSha256, end.State));
    }

    // A call of which some bytes are others, or which ends too early: closed, or answered by anything but that it was done.
    private static void Damage(ChannelOffer offer, Random random)
    {
        using var socket = Greeted(offer, offer.Key.AsSpan());
        var bytes = Push(length: 8);
        for (int i = 0; i <= random.Next(4); i++) bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
        try
        {
            socket.Send(bytes.AsSpan(0, random.Next(4) == 0 ? random.Next(bytes.Length) : bytes.Length));
            if (random.Next(2) == 0) socket.SendValues(new float[8]);
            socket.ShutdownSend();
            Assert.NotEqual(ChannelAnswer.Done, ChannelReply.Receive(socket).Answer);
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            // It was closed.
        }
    }

    private static byte[] Push(int length) => new ChannelRequest(ChannelCall.Push, "run", 0, 2, 1, new TreeNode(0, 0), default, 0, length, 0).Encode();

    private static ChannelSocket Greeted(ChannelOffer offer, ReadOnlySpan<byte> key)
    {
        var socket = Connected(offer);
        ChannelGreeting.Greet(socket, key, "test");
        return socket;
    }

    private static ChannelSocket Connected(ChannelOffer offer)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Parse(offer.Address), offer.Port);
        return new ChannelSocket(socket) { Patience = TimeSpan.FromSeconds(30) };
    }

    private static void AssertClosed(ChannelSocket socket)
    {
        var exception = Record.Exception(() =>
        {
            Span<byte> answer = stackalloc byte[1];
            socket.Receive(answer);
        });
        Assert.True(exception is EndOfStreamException or SocketException { SocketErrorCode: SocketError.ConnectionReset }, $"{exception}");
    }

    private static RunSpec Spec(TestCluster cluster) => new()
    {
        Data = cluster.Fasta(40, 24),
        Shards = 3,
        AccumulationSteps = 1,
        LearningRate = 3e-3,
        Epochs = 20,
        MaxSteps = 6,
    };
}
