namespace GenSlmOrleans.Bench;

/// <summary>
/// One thread for a piece of asynchronous work, as a grain has its scheduler: whatever the work awaits, it goes on there, so that
/// the thread's processor time is the work's.
/// </summary>
internal sealed class GrainThread : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Call, object? State)> _posted = new();

    /// <summary>Does <paramref name="work"/> on the calling thread, to its end; the task is completed.</summary>
    public static Task RunToEnd(Func<Task> work)
    {
        var before = Current;
        var thread = new GrainThread();
        SetSynchronizationContext(thread);
        try
        {
            var done = work();
            // Whoever ends it, the loop has to see it.
            _ = done.ContinueWith(_ => thread.Post(_ => { }, null), TaskScheduler.Default);
            while (!done.IsCompleted) thread.Next();
            return done;
        }
        finally
        {
            SetSynchronizationContext(before);
        }
    }

    public override void Post(SendOrPostCallback d, object? state)
    {
        lock (_posted)
        {
            _posted.Enqueue((d, state));
            Monitor.Pulse(_posted);
        }
    }

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("A grain's scheduler is never waited for.");

    private void Next()
    {
        (SendOrPostCallback Call, object? State) next;
        lock (_posted)
        {
            while (!_posted.TryDequeue(out next)) Monitor.Wait(_posted);
        }

        next.Call(next.State);
    }
}
