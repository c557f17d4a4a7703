namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// The blocks of a sum, handed out as they become final, from the vector's end on. Of those that are, the next behind this silo's own
/// place is taken first: silos begin at different places, so that all holders are at work.
/// </summary>
/// <param name="count">How many blocks there are.</param>
/// <param name="start">This silo's place.</param>
internal sealed class FinalBlocks(int count, int start)
{
    private readonly Lock _lock = new();
    private readonly SortedSet<int> _ready = new(Comparer<int>.Create((one, other) => Rank(one, count, start).CompareTo(Rank(other, count, start))));
    private TaskCompletionSource _changed = Changing();
    private readonly int _count = count;
    private int _from = count;
    private bool _hasEnded;

    /// <summary>Whether some are final; a single one is so only at the end.</summary>
    public bool IsUnderWay
    {
        get
        {
            lock (_lock) return _from < _count || _count == 1;
        }
    }

    /// <summary>All blocks from <paramref name="first"/> on are final.</summary>
    public void ReleaseFrom(int first) => Change(() =>
    {
        while (_from > first) _ready.Add(--_from);
    });

    /// <summary>No more are handed out.</summary>
    public void End() => Change(() =>
    {
        _hasEnded = true;
        _ready.Clear();
    });

    /// <summary>The next block, as soon as there is one; null: all have been handed out, or it has ended.</summary>
    public async Task<int?> TakeAsync()
    {
        while (true)
        {
            Task changed;
            lock (_lock)
            {
                if (_ready.Count > 0)
                {
                    int block = _ready.Min;
                    _ready.Remove(block);
                    return block;
                }

                if (_from == 0 || _hasEnded) return null;
                changed = _changed.Task;
            }

            await changed;
        }
    }

    private static int Rank(int block, int count, int start) => (block - start + count) % count;

    private static TaskCompletionSource Changing() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Change(Action change)
    {
        TaskCompletionSource changed;
        lock (_lock)
        {
            if (!_hasEnded) change();
            (changed, _changed) = (_changed, Changing());
        }

        changed.SetResult();
    }
}
