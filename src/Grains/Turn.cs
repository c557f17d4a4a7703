namespace GenSlmOrleans.Grains;

/// <summary>Has pieces of asynchronous work done one after the other, in the order they came.</summary>
internal sealed class Turn
{
    private readonly Lock _lock = new();
    private Task _last = Task.CompletedTask;

    /// <summary>Completes when what has come so far is done.</summary>
    public Task Done
    {
        get
        {
            lock (_lock) return _last;
        }
    }

    /// <summary>Does <paramref name="work"/> when what came before is done, however that ended.</summary>
    public async Task<T> TakeAsync<T>(Func<Task<T>> work)
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task before;
        lock (_lock) (before, _last) = (_last, mine.Task);
        await before;
        try
        {
            return await work();
        }
        finally
        {
            mine.SetResult();
        }
    }
}
