namespace GenSlmOrleans.Silo.Hosting;

/// <summary>
/// How many threads the silo's pool has before it thinks twice. By itself it has one for each core and is slow to make another
/// (when nothing was taken from its queue for half a second, and for longer where the cores are busy): on two cores two pieces of work that
/// are called for the first time, and are being compiled, are waited for by all others, probes included. Threads beyond the cores let
/// the kernel share them out.
/// </summary>
internal static class PoolThreads
{
    private const int Least = 8;

    public static void Provide()
    {
        ThreadPool.GetMinThreads(out int workers, out int completionPorts);
        // Never fewer than there are cores, which is what it has.
        _ = ThreadPool.SetMinThreads(Math.Max(workers, Least), completionPorts);
    }
}
