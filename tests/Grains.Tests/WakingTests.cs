using System.Collections.Concurrent;
using GenSlmOrleans.Grains.Runs;
using Microsoft.Extensions.Logging.Abstractions;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>A silo that has come up wakes the cluster's runs.</summary>
public sealed class WakingTests
{
    [Fact]
    public async Task A_run_that_hangs_and_one_that_fails_at_first_hold_up_no_other()
    {
        var woken = new ConcurrentDictionary<string, TaskCompletionSource>(StringComparer.Ordinal);
        foreach (var run in (string[])["failing", "sound"]) woken[run] = new TaskCompletionSource();
        int failures = 0;
        var hanging = new TaskCompletionSource();
        var round = Rounds(
            ["hanging", "failing", "sound"],
            run =>
            {
                if (run == "hanging") return hanging.Task;
                if (run == "failing" && Interlocked.Increment(ref failures) < 3) throw new InvalidOperationException("its record cannot be read");
                woken[run].SetResult();
                return Task.CompletedTask;
            },
            TimeProvider.System).WakeAllAsync(TestContext.Current.CancellationToken);
        await Task.WhenAll(woken.Values.Select(seen => seen.Task)).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Assert.False(round.IsCompleted);
        hanging.SetResult();
        await round;
    }

    [Fact]
    public async Task A_run_that_always_fails_is_asked_with_growing_pauses_for_a_minute_and_no_longer()
    {
        var time = new ImpatientTime();
        var asked = new List<double>();
        await Rounds(
            ["failing"],
            _ =>
            {
                asked.Add(time.Seconds);
                throw new TimeoutException();
            },
            time).WakeAllAsync(TestContext.Current.CancellationToken);
        Assert.Equal([0, 0.25, 0.75, 1.75, 3.75, 7.75, 15.75, 31.75], asked);
    }

    private static WakingRounds Rounds(string[] runs, Func<string, Task> wake, TimeProvider time) =>
        new(() => Task.FromResult<IEnumerable<string>>(runs), wake, time, NullLogger.Instance);

    /// <summary>Every pause is over at once, and the clock has gone on by it.</summary>
    private sealed class ImpatientTime : TimeProvider
    {
        private TimeSpan _now;

        public double Seconds => _now.TotalSeconds;

        public override long GetTimestamp() => _now.Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _now += dueTime;
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
