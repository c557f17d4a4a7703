using System.Diagnostics;
using GenSlmOrleans.Grains.Host;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>The silo's own threads: what is given to them is done, once, whoever waits for it.</summary>
public sealed class WorkThreadsTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(1000)]
    public async Task Each_piece_is_done_once_and_the_end_is_after_all_of_them(int count)
    {
        using var threads = new ComputeThreads();
        int[] done = new int[count];
        // Several at once, as the silo's runs give them.
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => threads.ForEachAsync(count, index => Interlocked.Increment(ref done[index])))).WaitAsync(Deadline);
        Assert.All(done, times => Assert.Equal(4, times));
    }

    [Fact]
    public async Task What_a_piece_throws_is_the_callers_the_others_are_done_and_the_threads_go_on()
    {
        using var threads = new ComputeThreads();
        int done = 0;
        var thrown = await Assert.ThrowsAsync<InvalidDataException>(() => threads.ForEachAsync(100, index =>
        {
            if (index == 0) throw new InvalidDataException("the first");
            Interlocked.Increment(ref done);
        }).WaitAsync(Deadline));
        Assert.Equal(("the first", 99), (thrown.Message, done));
        Assert.Equal(7, await threads.RunAsync(() => 7).WaitAsync(Deadline));
    }

    [Fact]
    public async Task What_waits_when_they_end_is_still_done_and_nothing_is_taken_afterwards()
    {
        using var threads = new ComputeThreads();
        using var gate = new ManualResetEventSlim();
        int done = 0;
        for (int i = 0; i < threads.Count; i++) _ = threads.RunAsync(gate.Wait);
        var waiting = Enumerable.Range(0, 10).Select(_ => threads.RunAsync(() => Interlocked.Increment(ref done))).ToArray();
        var ending = Task.Run(threads.Dispose, TestContext.Current.CancellationToken);
        long began = Stopwatch.GetTimestamp();
        while (Refusal() is null && Stopwatch.GetElapsedTime(began) < Deadline) await Task.Yield();
        // Who asks a silo that is leaving asks another: it is no error of the run's.
        Assert.Equal(FailureKind.Leaving, CallFailure.Of(Refusal()!));
        Assert.Equal(0, done);
        gate.Set();
        await Task.WhenAll([ending, .. waiting]).WaitAsync(Deadline);
        Assert.Equal(10, done);

        Exception? Refusal() => Record.Exception(() => { _ = threads.RunAsync(() => { }); });
    }
}
