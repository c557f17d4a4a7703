using GenSlmOrleans.Genomics;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// A device of this silo and the thread that computes on it. After each error on it one small computation tells whether it
/// still computes: one that does not is of no use to this process any more.
/// </summary>
public sealed class ComputeDevice : IDisposable
{
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(10);

    private readonly DeviceTrials _trials;
    private readonly TimeProvider _time;
    private readonly TaskCompletionSource<string> _poisoned = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Task _probing = Task.CompletedTask;

    /// <param name="name"><c>cpu</c> or <c>cuda:N</c>.</param>
    /// <param name="time">Measures how busy it is.</param>
    /// <param name="trials">What it has to stand; null: the real ones.</param>
    public ComputeDevice(string name, TimeProvider time, DeviceTrials? trials = null)
    {
        (Name, _time, _trials) = (name, time, trials ?? DeviceTrials.Real);
        Fingerprint = DeviceFingerprint.Of(name);
        Thread = new DeviceThread(name, time);
    }

    /// <summary><c>cpu</c> or <c>cuda:N</c>.</summary>
    public string Name { get; }

    /// <summary>What the bits of its results depend on.</summary>
    public string Fingerprint { get; }

    public DeviceThread Thread { get; }

    /// <summary>Completes when the device computes nothing any more in this process, with the sentence that says so.</summary>
    public Task<string> Poisoned => _poisoned.Task;

    /// <summary>Runs work on the device's thread.</summary>
    /// <param name="threadCount">Its intra-op threads.</param>
    /// <param name="work">The work.</param>
    /// <param name="cancellation">Keeps it from beginning.</param>
    public async Task<T> RunAsync<T>(int threadCount, Func<T> work, CancellationToken cancellation = default)
    {
        try
        {
            return await Thread.RunAsync(threadCount, work, cancellation);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            _probing = ProbeAsync(exception);
            throw;
        }
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(int threadCount, Action work, CancellationToken cancellation = default) =>
        RunAsync(threadCount, () => { work(); return true; }, cancellation);

    /// <summary>Compares what it computes twice, on its own thread; how long both take.</summary>
    /// <exception cref="UnequalBitsException">It does not give the same bits twice.</exception>
    public Task<TimeSpan> ProveAsync(int threadCount, Replica replica, string origin, MicroBatch batch) => RunAsync(threadCount, () =>
    {
        _trials.Prove(replica, origin, batch);
        return Thread.SilentFor;
    });

    /// <summary>After an error: whether the device computes nothing any more. One that does not say so in time is not known to.</summary>
    public async Task<bool> IsPoisonedAsync()
    {
        await Task.WhenAny(_probing, Task.Delay(ProbePatience, _time));
        return _poisoned.Task.IsCompleted;
    }

#pragma warning disable CA1031 // Whatever the probe fails with, it has failed.
    private async Task ProbeAsync(Exception error)
    {
        if (!Thread.IsAlive || _poisoned.Task.IsCompleted) return;
        try
        {
            await Thread.RunAsync(threadCount: 1, () =>
            {
                FaultPoint.Reach(Abstractions.FaultPhase.Kernel, long.MaxValue);
                _trials.Probe(Name);
            });
        }
        catch (Exception exception) when (!DeviceProbe.IsWantOfMemory(exception))
        {
            _poisoned.TrySetResult($"{Name} computes nothing any more in this process: after '{FirstLine(error)}' a small computation failed too, with '{FirstLine(exception)}'");
        }
        catch (Exception)
        {
            // Its memory is full: that passes.
        }
    }
#pragma warning restore CA1031

    private static string FirstLine(Exception exception) => exception.Message.Split('\n')[0].TrimEnd();

    public void Dispose() => Thread.Dispose();
}
