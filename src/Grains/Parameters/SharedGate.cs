namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// Lets any number read at the same time, or one write. Entered and left within one piece of work on the silo's own threads,
/// never across an await.
/// </summary>
internal sealed class SharedGate
{
    private readonly object _monitor = new();
    private int _readers;

    /// <summary>Does <paramref name="work"/> while nobody writes.</summary>
    public T Read<T>(Func<T> work)
    {
        lock (_monitor) _readers++;
        try
        {
            return work();
        }
        finally
        {
            lock (_monitor)
                if (--_readers == 0) Monitor.PulseAll(_monitor);
        }
    }

    /// <summary>Does <paramref name="work"/> while nobody reads or writes.</summary>
    public T Write<T>(Func<T> work)
    {
        lock (_monitor)
        {
            while (_readers > 0) Monitor.Wait(_monitor);
            return work();
        }
    }
}
