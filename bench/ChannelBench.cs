using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Bench;

/// <summary>
/// Bytes per second from one silo process to another, in one direction: blocks pushed over the tensor channel, beside the same blocks as grain
/// calls over one Orleans connection and more, and beside Gloo's send and recv.
/// </summary>
internal static class ChannelBench
{
    private const string RunId = "channel";

    // As many as a push has.
    private const int BlocksInFlight = 4;
    private const int PeerPasses = 10;

    private static readonly int[] s_connections = [1, 2, 4, 8];
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    public static async Task RunAsync(Options options, Results results)
    {
        int rounds = options.Number("rounds", 5), passes = options.Number("passes", 5);
        var model = options.Model();
        var config = Measurement.Preset(model);
        using var interrupts = new Interrupts();
        var channel = new List<double>();
        var calls = s_connections.ToDictionary(connections => connections, _ => new List<double>());
        var peer = new List<double>();
        for (int round = 1; round <= rounds; round++)
        {
            foreach (int connections in s_connections)
            {
                await using var silos = await SiloPair.StartAsync(connections, interrupts.Token);
                var (overChannel, byCall) = await MeasureAsync(silos, model, config, passes);
                channel.Add(overChannel);
                calls[connections].Add(byCall);
            }

            if (PythonPeer.IsThere) peer.Add(PeerSpeed(config));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"round {round}  channel {Measurement.Median(channel.TakeLast(s_connections.Length)):F2} GB/s  calls {string.Join(", ", s_connections.Select(count => string.Create(CultureInfo.InvariantCulture, $"{calls[count][^1]:F2} on {count}")))}  {(peer.Count > 0 ? string.Create(CultureInfo.InvariantCulture, $"Gloo {peer[^1]:F2}") : "")}"));
        }

        double ours = Measurement.Median(channel);
        var what = $"{model}, one way between two processes, {BlocksInFlight} blocks in flight, medians of {rounds} rounds";
        int best = s_connections.MaxBy(connections => Measurement.Median(calls[connections]));
        results.Add(new BenchResult("channel", what, ours, Measurement.Median(calls[best]), "GB/s", $"grain calls, {best} connections, the best of {string.Join(", ", s_connections)}", Bar.AtLeast(4)));
        if (peer.Count == 0) results.Skip("channel", PythonPeer.Missing);
        else results.Add(new BenchResult("channel", what, ours, Measurement.Median(peer), "GB/s", "Gloo send and recv", Bar.AtLeast(1.1)));
    }

    private static async Task<(double Channel, double Calls)> MeasureAsync(SiloPair silos, string model, HuggingFaceConfig config, int passes)
    {
        var spec = new RunSpec { Model = model };
        var layout = new ModelPlan(spec, config).Layout;
        var place = new PartitionPlace(0, 0, layout.BlockCount, [SiloPair.Other]);
        var grain = silos.Of<IGrainFactory>().GetGrain<IParameterServerGrain>(place.Key(RunId, SiloPair.Other));
        var start = new Fence(RunId, Step: 0, Generation: 1);
        await grain.SetUpAsync(new PartitionSetup(start, place, new RunContext(RunId, spec, config.ToJson(), config.MaximumPositions), PartitionSource.Seed, "", null));
        var peer = await PeerAsync(silos.Of<ChannelPeers>());
        // The first push of a block is its step's whole sum; what is pushed after it is received, checked and, being there already, put away.
        var (fence, node) = (start with { Step = 1 }, new TreeNode(0, 0));
        Block[] blocks = [.. Enumerable.Range(0, layout.BlockCount).Select(index => Filled(index, layout.BlockSize(index)))];
        double bytes = sizeof(float) * (double)blocks.Sum(block => block.Length);
        Task OverChannel(Block block) => peer.PushAsync(place.Index, fence, node, ImmutableArray<ShardTotals>.Empty, block);
        Task ByCall(Block block) => grain.PushAsync(fence, new TreePlace(node.Level, node.Index), [], block);
        await PassAsync(blocks, OverChannel);
        await PassAsync(blocks, ByCall);
        double channel = passes * bytes / await SecondsAsync(blocks, passes, OverChannel) / 1e9;
        double calls = passes * bytes / await SecondsAsync(blocks, passes, ByCall) / 1e9;
        foreach (var block in blocks) block.Dispose();
        return (channel, calls);
    }

    private static async Task<ChannelPeer> PeerAsync(ChannelPeers peers)
    {
        long began = Stopwatch.GetTimestamp();
        using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (true)
        {
            if (await peers.FindAsync(SiloPair.Other) is { } peer) return peer;
            if (Stopwatch.GetElapsedTime(began) > s_patience) throw new InvalidOperationException($"There is no channel to the other silo after {s_patience.TotalSeconds} s.");
            await pace.WaitForNextTickAsync();
        }
    }

    private static Block Filled(int index, int length)
    {
        var block = Block.Rent(index, length);
        var random = new Random(index);
        foreach (ref float value in block.Values) value = random.NextSingle() - 0.5f;
        return block;
    }

    private static async Task<double> SecondsAsync(Block[] blocks, int passes, Func<Block, Task> move)
    {
        long began = Stopwatch.GetTimestamp();
        for (int pass = 0; pass < passes; pass++) await PassAsync(blocks, move);
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    private static async Task PassAsync(Block[] blocks, Func<Block, Task> move)
    {
        int next = -1;
        async Task LaneAsync()
        {
            while (Interlocked.Increment(ref next) is var index && index < blocks.Length) await move(blocks[index]);
        }

        await Task.WhenAll(Enumerable.Range(0, BlocksInFlight).Select(_ => LaneAsync()));
    }

    private static double PeerSpeed(HuggingFaceConfig config)
    {
        using var json = PythonPeer.Run("transfer.py", $"{GptNeoXStateDict.ParameterCount(config)}", $"{PeerPasses}");
        return json.RootElement.GetProperty("bytesPerSecond").GetDouble() / 1e9;
    }
}
