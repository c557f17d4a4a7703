using System.Diagnostics.CodeAnalysis;

namespace GenSlmOrleans.Model;

/// <summary>
/// Pieces of work for threads of one's own, in the order in which they came. A thread that finds none sleeps at once: one that
/// looks again and again (as those of BlockingCollection do) says after each look that it would rather not run, and on a kernel
/// that believes it comes back milliseconds late.
/// </summary>
public sealed class WorkQueue<T>
{
    private readonly object _gate = new();
    private readonly Queue<T> _waiting = new();
    private bool _isClosed;

    /// <summary>Whether nothing is taken in any more.</summary>
    public bool IsClosed
    {
        get
        {
            lock (_gate) return _isClosed;
        }
    }

    /// <summary>Puts a piece behind those that wait.</summary>
    /// <exception cref="ObjectDisposedException">It is closed: whoever asks is told that its silo is leaving.</exception>
    public void Add(T work)
    {
        lock (_gate)
        {
            if (_isClosed) throw new ObjectDisposedException(nameof(WorkQueue<>), "No more work is taken: the threads that do it are ending.");
            _waiting.Enqueue(work);
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Waits for work; ends when it is closed and all has been taken.</summary>
    public IEnumerable<T> TakeAll()
    {
        while (TryTake(out var work, waits: true)) yield return work;
    }

    /// <summary>Takes the first piece; false when there is none.</summary>
    /// <param name="work">The piece.</param>
    /// <param name="waits">Whether to wait for one, for as long as it is open.</param>
    public bool TryTake([MaybeNullWhen(false)] out T work, bool waits = false)
    {
        lock (_gate)
        {
            while (!_waiting.TryDequeue(out work))
            {
                if (_isClosed || !waits) return false;
                Monitor.Wait(_gate);
            }

            return true;
        }
    }

    /// <summary>Takes nothing in any more; what is waiting is still to be done.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Monitor.PulseAll(_gate);
        }
    }
}
