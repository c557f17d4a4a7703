namespace GenSlmOrleans.Fuzzing;

/// <summary>Memory that is in use, as a collector sees it that runs whenever a little was allocated: no garbage counts.</summary>
internal static class LiveMemory
{
    // What may go unseen between two looks. A collector that never rests would see more, and leave the work no time on a slow machine.
    private const long BetweenLooksBytes = 2_000_000;

    /// <summary>The most that was in use during some work above what was in use before.</summary>
    public static long PeakDuring(Action work)
    {
        long before = Collected(), peak = before;
        bool done = false;
        var collector = new Thread(() =>
        {
            while (!Volatile.Read(ref done))
            {
                peak = Math.Max(peak, Collected());
                long seen = GC.GetTotalAllocatedBytes();
                SpinWait.SpinUntil(() => Volatile.Read(ref done) || GC.GetTotalAllocatedBytes() - seen >= BetweenLooksBytes);
            }
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
