using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// A device at work for a site: its replica, and whether it makes progress. What counts is micro-batches done, not how long a
/// call takes: a device that has been at one for ten times the longest it ever took is set aside, and what it was at is done
/// elsewhere. It comes back by itself when it goes on.
/// </summary>
internal sealed class SiteDevice(RunReplica replica, TimeProvider time)
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);

    private Task _late = Task.CompletedTask;

    public RunReplica Replica { get; } = replica;

    /// <summary>Whether it was given up and has not come back, or computes nothing any more.</summary>
    public bool IsStuck => IsHanging || Replica.IsPoisoned;

    private bool IsHanging => !_late.IsCompleted;

    /// <summary>Has the device do something, for as long as it makes progress.</summary>
    /// <param name="work">The work, which is on the device's thread when it hangs.</param>
    /// <param name="dropLate">Is given what a device that was given up brings after all.</param>
    /// <param name="over">The work is waited for no more, for another reason.</param>
    /// <exception cref="DevicesStuckException">It makes none any more.</exception>
    public async Task<T> WatchedAsync<T>(Func<Task<T>> work, Action<T>? dropLate = null, CancellationToken over = default)
    {
        var working = work();
        while (await Task.WhenAny(working, Task.Delay(LookInterval, time, over)) != working)
        {
            over.ThrowIfCancellationRequested();
            var silent = Replica.SilentFor;
            if (silent <= Replica.Pace.Patience) continue;
            _late = EndLateAsync(working, dropLate);
            throw new DevicesStuckException($"{Replica.Origin} has made no progress for {silent.TotalSeconds:F0} s; its micro-batches took {Replica.Pace.Longest.TotalSeconds:F1} s at most");
        }

        try
        {
            return await working;
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // One whose silo leaves for it is no fault of the run's: what it was at is done elsewhere, or waited for.
            if (await Replica.IsPoisonedAsync()) throw new DevicesStuckException($"{Replica.Origin} computes nothing any more: {exception.Message.Split('\n')[0]}");
            throw;
        }
    }

    /// <summary>Gives the device's memory back: at once, or, when it hangs, as soon as it does not.</summary>
    public Task CloseAsync()
    {
        if (!IsHanging) return Replica.DisposeAsync().AsTask();
        _ = CloseLateAsync();
        return Task.CompletedTask;
    }

    private async Task CloseLateAsync()
    {
        await _late;
        await Replica.DisposeAsync();
    }

#pragma warning disable CA1031 // Nobody waits for it any more.
    private static async Task EndLateAsync<T>(Task<T> working, Action<T>? dropLate)
    {
        try
        {
            var value = await working;
            dropLate?.Invoke(value);
        }
        catch (Exception)
        {
            // What a device that was given up has to say is too late.
        }
    }
#pragma warning restore CA1031
}
