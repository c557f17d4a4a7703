using System.Diagnostics.CodeAnalysis;
using TorchSharp;

namespace GenSlmOrleans.Model;

/// <summary>
/// The one thread on which a device computes. Work is queued and awaited, so that no scheduler thread ever waits
/// for a kernel; it runs in the order in which it was queued. libtorch's thread count holds for the calling thread
/// only, and the bits depend on it: each piece of work says how many it is to be computed with. It gives way to the pool that
/// Orleans lives on (<see cref="Niceness"/>).
/// </summary>
public sealed class DeviceThread : IDisposable
{
    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(10);

    private readonly WorkQueue<Action> _queue = new();
    private readonly Thread _thread;
    private readonly TimeProvider _time;
    private long _busySince;
    private long _latestProgress;
    private int _threadCount;

    /// <param name="deviceName"><c>cpu</c> or <c>cuda:N</c>, for the thread's name.</param>
    /// <param name="time">Measures how long the current piece of work has taken.</param>
    public DeviceThread(string deviceName, TimeProvider time)
    {
        _time = time;
        _thread = new Thread(Work) { IsBackground = true, Name = $"device {deviceName}" };
        _thread.Start();
    }

    /// <summary>How long the piece of work at hand has been running; zero when the device is idle.</summary>
    public TimeSpan BusyFor
    {
        get
        {
            long since = Interlocked.Read(ref _busySince);
            return since == 0 ? TimeSpan.Zero : _time.GetElapsedTime(since);
        }
    }

    /// <summary>How long the piece of work at hand has said nothing of itself; zero when the device is idle.</summary>
    public TimeSpan SilentFor => Interlocked.Read(ref _busySince) == 0 ? TimeSpan.Zero : _time.GetElapsedTime(Interlocked.Read(ref _latestProgress));

    /// <summary>Called by a long piece of work whenever a part of it is done: a micro-batch, a batch of an evaluation.</summary>
    public void Progress() => Interlocked.Exchange(ref _latestProgress, _time.GetTimestamp());

    /// <summary>Whether the thread still takes work.</summary>
    public bool IsAlive => _thread.IsAlive && !_queue.IsClosed;

    /// <summary>Runs <paramref name="work"/> on the device's thread, with <paramref name="threadCount"/> intra-op threads.</summary>
    public Task<T> RunAsync<T>(int threadCount, Func<T> work, CancellationToken cancellation = default)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _queue.Add(() => Complete(completion, threadCount, work, cancellation));
        return completion.Task;
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(int threadCount, Action work, CancellationToken cancellation = default) =>
        RunAsync(threadCount, () => { work(); return true; }, cancellation);

#pragma warning disable CA1031 // Whatever the work throws belongs to whoever awaits it; the thread goes on.
    private void Complete<T>(TaskCompletionSource<T> completion, int threadCount, Func<T> work, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
        {
            completion.TrySetCanceled(cancellation);
            return;
        }

        try
        {
            UseThreads(threadCount);
            completion.TrySetResult(work());
        }
        catch (OperationCanceledException canceled)
        {
            completion.TrySetCanceled(canceled.CancellationToken);
        }
        catch (Exception exception)
        {
            completion.TrySetException(exception);
        }
    }
#pragma warning restore CA1031

    private void Work()
    {
        // Before libtorch starts its own threads from here: they inherit it.
        Niceness.LowerOwnThread();
        while (TryTake(out var work))
        {
            Progress();
            Interlocked.Exchange(ref _busySince, _time.GetTimestamp());
            work();
            Interlocked.Exchange(ref _busySince, 0);
        }
    }

    // What follows a window is others' work on the same cores: Adam, sums.
    private bool TryTake([MaybeNullWhen(false)] out Action work)
    {
        if (_queue.TryTake(out work)) return true;
        if (_threadCount > 1)
        {
            OpenMpTeam.Release();
            // OpenMP does not say whether a thread still knows then how many it was to have.
            _threadCount = 0;
        }

        return _queue.TryTake(out work, waits: true);
    }

    private void UseThreads(int threadCount)
    {
        if (_threadCount == threadCount) return;
        NativeLibraries.EnsureLoaded();
        torch.set_num_threads(threadCount);
        _threadCount = threadCount;
    }

    /// <summary>Takes no more work; what is queued still runs, unless the device hangs.</summary>
    public void Dispose()
    {
        _queue.Close();
        // A thread that hangs in a kernel ends with the process: no shutdown waits for it.
        if (Thread.CurrentThread != _thread) _thread.Join(EndPatience);
    }
}
