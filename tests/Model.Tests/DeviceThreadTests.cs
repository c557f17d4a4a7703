namespace GenSlmOrleans.Model.Tests;

public sealed class DeviceThreadTests
{
    [Fact]
    public async Task Work_runs_in_order_on_one_thread_with_the_number_of_threads_it_asks_for()
    {
        using var device = new DeviceThread("cpu", TimeProvider.System);
        var seen = new List<(int Thread, int Count)>();
        var work = Enumerable.Range(1, 8).Select(i => device.RunAsync(1 + (i % 2), () => seen.Add((Environment.CurrentManagedThreadId, TorchSharp.torch.get_num_threads())))).ToArray();
        await Task.WhenAll(work);
        Assert.Single(seen.Select(entry => entry.Thread).Distinct());
        Assert.Equal([2, 1, 2, 1, 2, 1, 2, 1], seen.Select(entry => entry.Count));
    }

    [Fact]
    public async Task What_work_throws_reaches_whoever_awaits_it_and_the_thread_goes_on()
    {
        using var device = new DeviceThread("cpu", TimeProvider.System);
        await Assert.ThrowsAsync<InvalidOperationException>(() => device.RunAsync(1, () => throw new InvalidOperationException("broken")));
        Assert.Equal(7, await device.RunAsync(1, () => 7));
        Assert.True(device.IsAlive);
    }

    [Fact]
    public async Task Cancelled_work_that_has_not_begun_does_not_begin()
    {
        using var device = new DeviceThread("cpu", TimeProvider.System);
        using var gate = new ManualResetEventSlim();
        using var cancellation = new CancellationTokenSource();
        var first = device.RunAsync(1, gate.Wait);
        bool ran = false;
        var second = device.RunAsync(1, () => ran = true, cancellation.Token);
        await cancellation.CancelAsync();
        gate.Set();
        await first;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        Assert.False(ran);
    }

    [Fact]
    public async Task Its_team_is_let_go_of_when_it_has_nothing_to_do_and_has_as_many_threads_when_it_has()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "needs /proc");
        // Other than what a thread would have by itself.
        int threads = Environment.ProcessorCount + 1;
        using var device = new DeviceThread("its team", TimeProvider.System);
        for (int piece = 0; piece < 3; piece++)
        {
            var (count, team) = await device.RunAsync(threads, () =>
            {
                using var values = TorchSharp.torch.ones(1 << 20);
                using var sum = values.add(values);
                return (TorchSharp.torch.get_num_threads(), TeamSize());
            });
            Assert.Equal((threads, threads), (count, team));
            using var pace = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
            using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            while (TeamSize() > 1) await pace.WaitForNextTickAsync(deadline.Token);
        }

        // They have the name of the thread that they were started by.
        static int TeamSize() => Directory.EnumerateDirectories("/proc/self/task").Count(thread => NameOf(thread) == "device its team");
    }

    private static string NameOf(string thread)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread, "comm")).TrimEnd();
        }
        catch (IOException)
        {
            // It has ended.
            return "";
        }
    }
}
