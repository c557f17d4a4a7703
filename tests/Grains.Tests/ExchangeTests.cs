using System.Diagnostics.Metrics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Diagnostics;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>What blocks are rounded to on their way: to the same bits wherever the shards are, in half the bytes.</summary>
public sealed class ExchangeTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    // One block has them all.
    private static readonly long WholeBytes = sizeof(float) * GptNeoXStateDict.ParameterCount(Tiny);

    [Fact]
    public async Task Sums_in_bf16_have_the_same_bits_on_any_number_of_silos_with_and_without_the_channel_in_half_the_bytes()
    {
        using var sent = new SentBytes();
        var whole = await RunAsync(3, hasChannel: true, "whole", Precision.Fp32);
        var ends = new List<RunStatus>();
        foreach (var (silos, hasChannel) in ((short, bool)[])[(1, true), (2, false), (3, true), (3, false)])
            ends.Add(await RunAsync(silos, hasChannel, $"half-{silos}-{hasChannel}", Precision.Bf16));
        Assert.Single(ends.Select(end => (end.WeightsSha256, end.LedgerHead)).Distinct());
        Assert.NotEqual(whole.WeightsSha256, ends[0].WeightsSha256);
        Assert.Equal(whole.LedgerHead, ends[0].LedgerHead);
        // What a model learns is not changed by it.
        Assert.Equal(whole.BestValidationLoss!.Value, ends[0].BestValidationLoss!.Value, tolerance: 0.01);
        Assert.Equal([WholeBytes], sent["whole", "push"]);
        Assert.Equal([WholeBytes / 2], sent["half-3-True", "push"]);
        Assert.Equal([WholeBytes / 2], sent["half-3-False", "push"]);
        Assert.Equal([WholeBytes], sent["half-3-True", "fetch"]);
    }

    [Fact]
    public async Task Parameters_travel_in_the_replicas_precision_and_come_to_the_same_bits_as_where_they_do_not_travel()
    {
        using var sent = new SentBytes();
        var alone = await RunAsync(1, hasChannel: true, "alone", Precision.Fp32, Precision.Bf16);
        foreach (bool hasChannel in (bool[])[true, false])
        {
            var end = await RunAsync(3, hasChannel, $"bf16-{hasChannel}", Precision.Fp32, Precision.Bf16);
            Assert.Equal((alone.WeightsSha256, alone.LedgerHead), (end.WeightsSha256, end.LedgerHead));
            // A checkpoint is written from the master weights, wherever its keeper is.
            Assert.Contains(WholeBytes / 2, sent[$"bf16-{hasChannel}", "fetch"]);
            Assert.Equal([WholeBytes], sent[$"bf16-{hasChannel}", "push"]);
        }
    }

    private static async Task<RunStatus> RunAsync(short silos, bool hasChannel, string name, Precision exchange, Precision precision = Precision.Fp32)
    {
        await using var cluster = await TestCluster.StartAsync(silos, hasChannel: hasChannel);
        var end = await cluster.RunAsync(name, new RunSpec
        {
            Data = cluster.Fasta(40, 24),
            Shards = 5,
            AccumulationSteps = 2,
            LearningRate = 3e-3,
            GradientClip = 0.5,
            Epochs = 20,
            MaxSteps = 8,
            ValEvery = "4",
            Exchange = exchange,
            Precision = precision,
        }, Tiny);
        Assert.True(end.State == RunState.Completed, end.Failure?.Message);
        return end;
    }

    /// <summary>What sizes the counters say of blocks that crossed between silos.</summary>
    private sealed class SentBytes : IDisposable
    {
        private readonly HashSet<(string Run, string Direction, long SizeBytes)> _sent = [];
        private readonly MeterListener _listener = new();

        public SentBytes()
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Name == "genslm.block_transfer") listener.EnableMeasurementEvents(instrument);
            };
            _listener.SetMeasurementEventCallback<long>((_, bytes, tags, _) => Count(bytes, tags));
            _listener.Start();
        }

        public long[] this[string run, string direction]
        {
            get
            {
                lock (_sent) return [.. _sent.Where(block => (block.Run, block.Direction) == (run, direction)).Select(block => block.SizeBytes)];
            }
        }

        private void Count(long bytes, ReadOnlySpan<KeyValuePair<string, object?>> tags)
        {
            var named = tags.ToArray().ToDictionary(tag => tag.Key, tag => $"{tag.Value}");
            if (named["way"] != "network") return;
            lock (_sent) _sent.Add((named["run"], named["direction"], bytes));
        }

        public void Dispose() => _listener.Dispose();
    }
}
