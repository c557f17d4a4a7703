using System.Collections.Concurrent;

namespace GenSlmOrleans.Abstractions;

/// <summary>
/// Buffers for blocks on their way: native, all of one block's length, used again and again. A step in the steady state
/// allocates none. There are never more than were in use at once; <see cref="Trim"/> frees those that are idle. What was lost with a call that
/// broke off the collector finds, which is asked to look when so many have been made that some may be.
/// </summary>
public static class BlockBuffers
{
    /// <summary>Values of a buffer: the largest block's.</summary>
    public const int Length = 1 << 20;

    // 256 MiB.
    private const int MadeBetweenCollections = 64;

    private static readonly ConcurrentStack<NativeVector> Idle = new();
    private static long _made;

    /// <summary>How many buffers are idle. For tests and the memory's account.</summary>
    public static int IdleCount => Idle.Count;

    /// <summary>How many buffers have been made since the process began.</summary>
    public static long MadeCount => Interlocked.Read(ref _made);

    /// <summary>A buffer of at least <paramref name="length"/> values; their content is undefined.</summary>
    public static NativeVector Rent(int length)
    {
        if (length > Length) return new NativeVector(length);
        if (Idle.TryPop(out var buffer)) return buffer;
        // In the background: nobody waits for it. Forced, since what is native does not count when the collector weighs whether it is worth it.
        if (Interlocked.Increment(ref _made) % MadeBetweenCollections == 0) GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
        return new NativeVector(Length);
    }

    /// <summary>Takes a buffer back; one that is lent goes to whose it is.</summary>
    public static void Return(NativeVector buffer)
    {
        if (buffer.Length == Length && !buffer.IsLent) Idle.Push(buffer);
        else buffer.Free();
    }

    /// <summary>Frees the buffers that are idle: a run has ended.</summary>
    public static void Trim()
    {
        while (Idle.TryPop(out var buffer)) buffer.Free();
    }
}
