namespace GenSlmOrleans.Fuzzing;

/// <summary>Memory that is in use, as a collector sees it that runs all the time: no garbage counts.</summary>
internal static class LiveMemory
{
    /// <summary>The most that was in use during some work above what was in use before.</summary>
    public static long PeakDuring(Action work)
    {
        long before = Collected(), peak = before;
        bool done = false;
        var collector = new Thread(() =>
        {
            while (!Volatile.Read(ref done)) peak = Math.Max(peak, Collected());
        });
        collector.Start();
        try
        {
            work();
        }
        finally
        {
            Volatile.Write(ref done, true);
            collector.Join();
        }

        return peak - before;
    }

    private static long Collected()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: true);
        return GC.GetTotalMemory(forceFullCollection: false);
    }
}
