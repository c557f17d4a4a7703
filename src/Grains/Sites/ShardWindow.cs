using System.Collections.Immutable;
using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Sites;

/// <summary>
/// A silo's shards of one step. Its devices take them one after the other; those not yet taken can be given up from the end, and
/// one whose device hangs goes back for another to take.
/// </summary>
public sealed class ShardWindow : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Stack<int> _returned = new();
    private readonly CancellationTokenSource _abandoned = new();
    private readonly int _first;
    private int _next;
    private int _end;
    private bool _isDisposed;

    /// <param name="step">Of the window.</param>
    /// <param name="shards">What is to be computed.</param>
    public ShardWindow(long step, ShardRange shards) =>
        (Step, _first, _next, _end, Abandoned) = (step, shards.First, shards.First, shards.End, _abandoned.Token);

    public long Step { get; }

    /// <summary>Set when the work is broken off.</summary>
    public CancellationToken Abandoned { get; }

    /// <summary>The shards it has kept so far.</summary>
    public ShardRange Kept
    {
        get
        {
            lock (_lock) return new ShardRange(_first, _end);
        }
    }

    /// <summary>Whether no shard is left that somebody would have to compute.</summary>
    public bool IsTaken
    {
        get
        {
            lock (_lock) return _next >= _end && _returned.Count == 0;
        }
    }

    /// <summary>Whether nothing more will come of it: all it kept has been pushed, or it was broken off.</summary>
    public bool IsOver { get; private set; }

    /// <summary>The next shard to compute; null when there is none left.</summary>
    public int? Take()
    {
        lock (_lock) return _returned.TryPop(out int returned) ? returned : _next < _end ? _next++ : null;
    }

    /// <summary>Puts a shard back that was taken and not computed.</summary>
    public void Return(int shard)
    {
        lock (_lock) _returned.Push(shard);
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

    /// <summary>Breaks the work off: what has been taken ends after its micro-batch, nothing more is taken.</summary>
    public void Abandon()
    {
        lock (_lock)
        {
            // One that is over has nothing to break off.
            if (!_isDisposed) _abandoned.Cancel();
        }

        End();
    }

    /// <summary>Nothing more is taken.</summary>
    public void End()
    {
        lock (_lock)
        {
            _end = _next;
            _returned.Clear();
        }

        IsOver = true;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _abandoned.Dispose();
        }
    }
}
