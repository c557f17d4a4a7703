using GenSlmOrleans.Model;

namespace GenSlmOrleans.Grains.Host;

/// <summary>
/// Threads of this silo's own, which take pieces of work from one queue in the order they came. Orleans lives on the .NET
/// thread pool and dies of its delays: nothing that takes longer than a millisecond or two may run there. These threads
/// give way to the pool, so that a probe is answered first, whatever is being worked on.
/// </summary>
public abstract class WorkThreads : IDisposable
{
    private readonly WorkQueue<Action> _queue = new();
    private readonly Thread[] _threads;

    /// <param name="name">For the threads' names.</param>
    /// <param name="count">How many threads there are.</param>
    protected WorkThreads(string name, int count)
    {
        _threads = [.. Enumerable.Range(0, count).Select(index => new Thread(Work) { IsBackground = true, Name = $"{name} {index}" })];
        foreach (var thread in _threads) thread.Start();
    }

    /// <summary>How many threads there are.</summary>
    public int Count => _threads.Length;

    /// <summary>Runs a piece of work; what it throws is the task's.</summary>
    public Task<T> RunAsync<T>(Func<T> work)
    {
        var completion = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        _queue.Add(() => Complete(completion, work));
        return completion.Task;
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(Action work) => RunAsync(() =>
    {
        work();
        return true;
    });

    /// <summary>Runs <paramref name="work"/> for 0, 1, … <paramref name="count"/> - 1, as many at a time as there are threads; ends when all have.</summary>
    /// <exception cref="Exception">What the first of those that failed threw; the others are done all the same.</exception>
    public Task ForEachAsync(int count, Action<int> work)
    {
        if (count <= 0) return Task.CompletedTask;
        var pieces = new Pieces(count, work);
        for (int i = 0; i < Math.Min(count, Count); i++) _queue.Add(pieces.Work);
        return pieces.Done;
    }

    // The threads share them out and the last one says so: a task for each would wake the pool as often as there are blocks.
    private sealed class Pieces(int count, Action<int> work)
    {
        private readonly TaskCompletionSource _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private Exception? _failure;
        private int _taken;
        private int _done;

        public Task Done => _completion.Task;

#pragma warning disable CA1031 // As above.
        public void Work()
        {
            while (Interlocked.Increment(ref _taken) - 1 is var index && index < count)
            {
                try
                {
                    work(index);
                }
                catch (Exception exception)
                {
                    Interlocked.CompareExchange(ref _failure, exception, null);
                }

                if (Interlocked.Increment(ref _done) < count) continue;
                if (_failure is { } failure) _completion.SetException(failure);
                else _completion.SetResult();
            }
        }
#pragma warning restore CA1031
    }

#pragma warning disable CA1031 // Whatever the work throws belongs to whoever awaits it; the thread goes on.
    private static void Complete<T>(TaskCompletionSource<T> completion, Func<T> work)
    {
        try
        {
            completion.TrySetResult(work());
        }
        catch (Exception exception)
        {
            completion.TrySetException(exception);
        }
    }
#pragma warning restore CA1031

    private void Work()
    {
        Niceness.LowerOwnThread();
        foreach (var work in _queue.TakeAll()) work();
    }

    /// <summary>Takes no more work; what is queued is still done.</summary>
    public void Dispose()
    {
        if (_queue.IsClosed) return;
        _queue.Close();
        foreach (var thread in _threads)
            if (thread != Thread.CurrentThread) thread.Join();
        GC.SuppressFinalize(this);
    }
}

/// <summary>Where this silo fills, copies, adds and applies blocks: as many threads as it has cores.</summary>
public sealed class ComputeThreads() : WorkThreads("compute", Environment.ProcessorCount);

/// <summary>
/// Where this silo reads, hashes and writes files. Not where it computes: a disk that does not answer must not hold up Adam.
/// </summary>
public sealed class FileThreads() : WorkThreads("files", ThreadCount)
{
    private const int ThreadCount = 4;

    // Of those; the others are free for what a step waits for, such as a ledger's line.
    private const int LongAtOnce = 2;

    private readonly SemaphoreSlim _long = new(LongAtOnce);

    /// <summary>Runs a piece of work that reads or writes whole files and may take minutes; few such are done at a time.</summary>
    public async Task<T> RunLongAsync<T>(Func<T> work)
    {
        await _long.WaitAsync();
        try
        {
            return await RunAsync(work);
        }
        finally
        {
            _long.Release();
        }
    }
}
