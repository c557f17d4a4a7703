using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Devices;

/// <summary>A device's shards of one step, taken one after the other; those not yet taken can be given up from the end.</summary>
public sealed class ShardWindow(long step, ShardRange shards)
{
    private readonly Lock _lock = new();
    private int _next = shards.First;
    private int _end = shards.End;

    public long Step { get; } = step;

    /// <summary>The shards it has kept so far.</summary>
    public ShardRange Kept
    {
        get
        {
            lock (_lock) return new ShardRange(shards.First, _end);
        }
    }

    /// <summary>Whether nothing more will come of it: all it kept has been pushed, or it was broken off.</summary>
    public bool IsOver { get; private set; }

    /// <summary>The next shard to compute; null when there is none left.</summary>
    public int? Take()
    {
        lock (_lock) return _next < _end ? _next++ : null;
    }

    /// <summary>Gives up the later half of what has not been taken, at least one shard when there is one.</summary>
    public ShardRange YieldHalf()
    {
        lock (_lock)
        {
            int end = _end;
            _end -= (_end - _next + 1) / 2;
            return new ShardRange(_end, end);
        }
    }

    /// <summary>Gives up all that has not been taken: the work is broken off.</summary>
    public void Abandon()
    {
        lock (_lock) _end = _next;
        IsOver = true;
    }
}
