using System.Diagnostics.Metrics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Formats;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Sums that wait for their neighbours take the memory that there is and no more; what does not fit stays with its sender.</summary>
public sealed class WaitingRoomTests
{
    private static readonly HuggingFaceConfig Tiny = ModelPresets.Find("tiny")!;

    [Fact]
    public async Task What_would_wait_without_room_is_refused_and_what_others_wait_for_is_always_taken()
    {
        using var compute = new ComputeThreads();
        int places = 1;
        var plan = new ModelPlan(new RunSpec { Data = "x.fasta", Shards = 8 }, Tiny);
        using var state = new PartitionState(plan, new PartitionPlace(0, 0, 1, ["silo"]), 0, compute, new WaitingRoom(() => places-- > 0));
        await state.FillFromSeedAsync();
        await AddAsync(state, 3);
        await AddAsync(state, 5);
        // Both places are taken: the block's own and the one more.
        await Assert.ThrowsAsync<HolderFullException>(() => AddAsync(state, 7));
        Assert.Equal([new ShardRange(0, 3), new ShardRange(4, 5), new ShardRange(6, 8)], (await state.ReduceAsync()).Missing);
        // A neighbour needs no place, and leaves none free.
        await AddAsync(state, 4);
        await Assert.ThrowsAsync<HolderFullException>(() => AddAsync(state, 7));
        // All wait for the first shard that is missing.
        await AddAsync(state, 0);
        await AddAsync(state, 1);
        await AddAsync(state, 2);
        // 0 to 3 are one sum now, 4 and 5 another: there is no place for a third that has to wait.
        await Assert.ThrowsAsync<HolderFullException>(() => AddAsync(state, 7));
        await AddAsync(state, 6);
        await AddAsync(state, 7);
        Assert.Empty((await state.ReduceAsync()).Missing);
    }

    [Fact]
    public void A_partitions_memory_grows_by_what_is_left_and_is_given_back_as_a_whole()
    {
        var memory = new SiloMemory(() => [new MemoryBound(new MemoryPool("m", "a test", RunMemory.ProcessBytes + 10), 6)]);
        var room = memory.Take("run", "Partition 0", 6);
        Assert.True(memory.TryGrow("run", "Partition 0", 3));
        Assert.Equal([new MemoryReservation("run", 9)], memory.Reserved);
        Assert.False(memory.TryGrow("run", "Partition 0", 2));
        Assert.False(memory.TryGrow("run", "Partition 1", 1));
        room.Dispose();
        Assert.Empty(memory.Reserved);
    }

    [Fact]
    public void What_bounds_the_memory_is_read_once_for_all_that_ask_at_a_time_and_anew_when_memory_is_taken()
    {
        int read = 0;
        var memory = new SiloMemory(() => [new MemoryBound(new MemoryPool("m", "a test", 1L << 40), 1L << (30 + ++read))], poolsLast: TimeSpan.FromHours(1));
        for (int asked = 0; asked < 100; asked++) Assert.Equal("m", Assert.Single(memory.Pools).Name);
        Assert.Equal(1, read);
        using var room = memory.Take("run", "Partition 0", 1L << 31);
        Assert.Equal(2, read);
    }

    [Fact]
    public async Task A_run_whose_holders_have_no_room_ends_in_the_same_bits()
    {
        int putOff = 0;
        using var listener = new MeterListener { InstrumentPublished = (instrument, it) => { if (instrument.Name == "genslm.sums_put_off") it.EnableMeasurementEvents(instrument); } };
        listener.SetMeasurementEventCallback<long>((_, count, tags, _) =>
        {
            foreach (var tag in tags)
                if (tag.Value is "without-room") Interlocked.Add(ref putOff, (int)count);
        });
        listener.Start();

        string expected;
        await using (var cluster = await TestCluster.StartAsync(1)) expected = (await cluster.RunAsync("with-room", Spec(cluster), Tiny)).WeightsSha256;
        await using var full = await TestCluster.StartAsync(3, memory: ForNoBlockMore);
        var end = await full.RunAsync("without-room", Spec(full), Tiny);
        Assert.True(end.State == RunState.Completed, $"{end.State}: {end.Failure?.Message}");
        Assert.Equal(expected, end.WeightsSha256);
        Assert.True(end.RecordsSeenExactlyOnce);
        Assert.Equal(0, end.RepeatedMicroBatches);
        Assert.True(putOff > 0, "every sum found room");
    }

    // Enough for the replica and the partition, and then nothing is left.
    private static SiloMemory ForNoBlockMore()
    {
        long parameters = GptNeoXStateDict.ParameterCount(Tiny);
        long needed = new RunMemory(new RunSpec { Data = "", BatchSize = 1, SeqLength = 12 }, Tiny, longestRecord: 12).DeviceBytes + RunMemory.PartitionBytes(parameters);
        SiloMemory? memory = null;
        return memory = new SiloMemory(() =>
        [
            new MemoryBound(new MemoryPool("m", "a test", 1L << 40), memory!.Reserved.Sum(taken => taken.SizeBytes) >= needed ? 0 : 1L << 40),
        ]);
    }

    private static RunSpec Spec(TestCluster cluster) => new() { Data = cluster.Fasta(80, 12), Shards = 13, BatchSize = 1, SeqLength = 12, AccumulationSteps = 1, LearningRate = 1e-3, Epochs = 2 };

    private static async Task AddAsync(PartitionState state, int shard)
    {
        var buffer = BlockBuffers.Rent((int)GptNeoXStateDict.ParameterCount(Tiny));
        buffer.Values.Fill(shard);
        Assert.True(await state.ContributeAsync(1, new TreeNode(0, shard), [new ShardTotals(shard, 1, 1, 1, 1, 1, 0)], 0, buffer));
    }
}
