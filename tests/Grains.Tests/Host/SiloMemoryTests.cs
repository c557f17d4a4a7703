using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Tests.Host;

public sealed class SiloMemoryTests
{
    private const long GibiByte = 1L << 30;

    [Fact]
    public void What_is_taken_is_counted_until_it_is_given_back_and_more_than_there_is_is_refused()
    {
        var memory = Memory(sizeBytes: 4 * GibiByte, freeBytes: 4 * GibiByte);
        var first = memory.Take("run", "A replica on cpu", 2 * GibiByte);
        using (memory.Take("run", "Partition 3", GibiByte))
        {
            Assert.Equal([new MemoryReservation("run", 3 * GibiByte)], memory.Reserved);
            var refused = Assert.Throws<RunInputException>(() => memory.Take("other", "Partition 4", GibiByte));
            Assert.Equal(
                "Partition 4 of run other takes 1.00 GiB of memory, but of the 4.00 GiB that this silo may use (memory.max of its control group) only 764 MiB are left.",
                refused.Message);
        }

        first.Dispose();
        first.Dispose();
        Assert.Empty(memory.Reserved);
    }

    [Fact]
    public void What_others_use_is_not_there_to_take() => Assert.Contains(
        "only 512 MiB are left", Assert.Throws<RunInputException>(() => Memory(8 * GibiByte, GibiByte / 2).Take("run", "A replica on cpu", GibiByte)).Message);

    [Fact]
    public void What_may_be_done_without_is_taken_only_where_there_is_room_beside_everything_else()
    {
        var memory = Memory(sizeBytes: 8 * GibiByte, freeBytes: 3 * GibiByte);
        // What has been taken so and is not filled yet looks free.
        using (var first = memory.TryTake("run", "A snapshot of partition 0", GibiByte))
        using (var second = memory.TryTake("run", "A snapshot of partition 1", GibiByte))
        {
            Assert.NotNull(first);
            Assert.NotNull(second);
            Assert.Null(memory.TryTake("run", "A snapshot of partition 2", GibiByte));
            Assert.Equal([new MemoryReservation("run", 2 * GibiByte)], memory.Reserved);
        }

        Assert.Empty(memory.Reserved);
        using var replica = memory.Take("run", "A replica on cpu", 3 * GibiByte);
        Assert.Null(Memory(sizeBytes: 3 * GibiByte, freeBytes: 3 * GibiByte).TryTake("run", "A snapshot of partition 0", 3 * GibiByte));
    }

    private static SiloMemory Memory(long sizeBytes, long freeBytes) =>
        new(() => [new MemoryBound(new MemoryPool("group", "memory.max of its control group", sizeBytes), freeBytes)]);
}
