namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// Whether this silo is to leave, and what it still holds: replicas at work and partitions. A silo told to leave says so
/// in its offer; the runs move what it holds elsewhere, whatever their step is at, and then it is free to go.
/// </summary>
public sealed class SiloDrain
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _held;

    /// <summary>Whether the silo has been told to leave.</summary>
    public bool IsDraining => _asked.Task.IsCompleted;

    /// <summary>Completes when the silo has been told to leave.</summary>
    public Task Asked => _asked.Task;

    /// <summary>Tells the silo to leave; safe to repeat.</summary>
    public void Begin()
    {
        lock (_lock)
        {
            _asked.TrySetResult();
            if (_held == 0) _empty.TrySetResult();
        }
    }

    /// <summary>Completes when the silo has been told to leave and holds nothing of any run.</summary>
    public Task HandedOver => _empty.Task;

    /// <summary>Something of a run is held here until the result is disposed.</summary>
    public IDisposable Hold()
    {
        lock (_lock) _held++;
        return new Holding(this);
    }

    private void Release()
    {
        lock (_lock)
        {
            if (--_held == 0 && IsDraining) _empty.TrySetResult();
        }
    }

    private sealed class Holding(SiloDrain drain) : IDisposable
    {
        private SiloDrain? _drain = drain;

        public void Dispose() => Interlocked.Exchange(ref _drain, null)?.Release();
    }
}
