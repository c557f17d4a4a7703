namespace GenSlmOrleans.Grains.Parameters;

/// <summary>
/// How many sums a copy of a partition may keep waiting for their neighbours, beyond the one of each block that it has memory for
/// from the start. It asks for more as it needs them and keeps what it got: steps are alike. Safe to use from several threads.
/// </summary>
/// <param name="more">Takes the memory of one more block's sum; false when there is none.</param>
internal sealed class WaitingRoom(Func<bool> more)
{
    private readonly Lock _lock = new();
    private int _granted;
    private int _used;

    /// <summary>A room without bounds.</summary>
    public static WaitingRoom Boundless => new(() => true);

    /// <summary>Takes a place when there is one.</summary>
    public bool TryTake()
    {
        lock (_lock)
        {
            if (_used >= _granted)
            {
                if (!more()) return false;
                _granted++;
            }

            _used++;
            return true;
        }
    }

    /// <summary>Takes a place whether there is one or not: for a sum that others wait for.</summary>
    public void Take()
    {
        lock (_lock) _used++;
    }

    /// <summary>Gives places back.</summary>
    public void GiveBack(int count)
    {
        lock (_lock) _used -= count;
    }
}
