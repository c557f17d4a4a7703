using System.Collections.Immutable;
using System.Diagnostics;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Host;

/// <summary>
/// How much memory this silo may use and what runs have taken of it. The driver decides whether a run fits the cluster
/// (<see cref="RunAdmission"/>); this is the second look, right before memory is taken: others may have come in between.
/// </summary>
/// <param name="read">What bounds the memory, as it is now.</param>
/// <param name="poolsLast">How old what <see cref="Pools"/> says may be.</param>
public sealed class SiloMemory(Func<ImmutableArray<MemoryBound>> read, TimeSpan poolsLast = default)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<(string RunId, string What), Reservation> _taken = [];
    private ImmutableArray<MemoryPool> _pools;
    private long _poolsRead;

    /// <summary>
    /// The silo's own memory. Every step of every run asks for its bounds, a dozen files are read for them, and they hardly ever change:
    /// a few seconds old they still hold.
    /// </summary>
    /// <param name="settingBytes">The silo's own setting; null: none.</param>
    public SiloMemory(long? settingBytes)
        : this(() => MemoryBounds.Read(settingBytes), TimeSpan.FromSeconds(5))
    {
    }

    /// <summary>What bounds the silo's memory, for who plans a run. What is free is looked at anew when memory is taken.</summary>
    public ImmutableArray<MemoryPool> Pools
    {
        get
        {
            lock (_lock)
            {
                if (_pools.IsDefault || Stopwatch.GetElapsedTime(_poolsRead) >= poolsLast) (_pools, _poolsRead) = ([.. read().Select(bound => bound.Pool)], Stopwatch.GetTimestamp());
                return _pools;
            }
        }
    }

    /// <summary>What each run has taken.</summary>
    public ImmutableArray<MemoryReservation> Reserved
    {
        get
        {
            lock (_lock) return [.. _taken.GroupBy(pair => pair.Key.RunId, pair => pair.Value.SizeBytes, StringComparer.Ordinal).Select(run => new MemoryReservation(run.Key, run.Sum()))];
        }
    }

    /// <summary>
    /// Takes memory until the result is disposed; to be called before any of it is allocated. What a run has taken for the same
    /// before gives way: one replaces the other.
    /// </summary>
    /// <param name="runId">For which run.</param>
    /// <param name="what">What for, as a message says it: "a replica on cpu".</param>
    /// <param name="sizeBytes">How much.</param>
    /// <exception cref="RunInputException">There is not so much.</exception>
    public IDisposable Take(string runId, string what, long sizeBytes)
    {
        var bounds = read();
        lock (_lock)
        {
            long taken = _taken.Where(pair => pair.Key != (runId, what)).Sum(pair => pair.Value.SizeBytes);
            foreach (var (pool, left) in Left(bounds, taken))
            {
                if (sizeBytes > left)
                    throw new RunInputException($"{what} of run {runId} takes {MemorySize.Text(sizeBytes)} of memory, but of the {MemorySize.Text(pool.SizeBytes)} that this silo may use ({pool.Source}) only {MemorySize.Text(Math.Max(0, left))} are left.");
            }

            return _taken[(runId, what)] = new Reservation(this, runId, what, sizeBytes);
        }
    }

    /// <summary>Takes more for what a run has taken memory for already; false, and nothing is taken, when there is not so much.</summary>
    public bool TryGrow(string runId, string what, long moreBytes)
    {
        var bounds = read();
        lock (_lock)
        {
            if (!_taken.TryGetValue((runId, what), out var reservation)) return false;
            if (Left(bounds, _taken.Values.Sum(taken => taken.SizeBytes)).Any(bound => moreBytes > bound.Bytes)) return false;
            reservation.SizeBytes += moreBytes;
            return true;
        }
    }

    /// <summary>
    /// Takes memory that may be done without, until the result is disposed; null when there is not so much. It is filled little by little,
    /// so what was taken like this before may still look free and is not counted on.
    /// </summary>
    /// <param name="runId">For which run.</param>
    /// <param name="what">What for.</param>
    /// <param name="sizeBytes">How much.</param>
    public IDisposable? TryTake(string runId, string what, long sizeBytes)
    {
        var bounds = read();
        lock (_lock)
        {
            long taken = _taken.Values.Sum(reservation => reservation.SizeBytes);
            long optional = _taken.Values.Where(reservation => reservation.IsOptional).Sum(reservation => reservation.SizeBytes);
            // Whoever reads and writes what is kept has blocks under way.
            bool fits = bounds.All(bound => sizeBytes + RunMemory.TransferBytes <= Math.Min(bound.FreeBytes - optional, bound.Pool.SizeBytes - RunMemory.ProcessBytes - taken));
            return fits ? _taken[(runId, what)] = new Reservation(this, runId, what, sizeBytes) { IsOptional = true } : null;
        }
    }

    private static IEnumerable<(MemoryPool Pool, long Bytes)> Left(ImmutableArray<MemoryBound> bounds, long taken) =>
        bounds.Select(bound => (bound.Pool, Math.Min(bound.FreeBytes, bound.Pool.SizeBytes - RunMemory.ProcessBytes - taken)));

    private void GiveBack(Reservation reservation)
    {
        lock (_lock)
        {
            if (_taken.GetValueOrDefault((reservation.RunId, reservation.What)) == reservation) _taken.Remove((reservation.RunId, reservation.What));
        }
    }

    private sealed class Reservation(SiloMemory memory, string runId, string what, long sizeBytes) : IDisposable
    {
        public string RunId => runId;

        public string What => what;

        public long SizeBytes { get; set; } = sizeBytes;

        public bool IsOptional { get; init; }

        public void Dispose() => memory.GiveBack(this);
    }
}
