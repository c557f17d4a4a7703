namespace GenSlmOrleans.Grains.Checkpoints;

/// <summary>
/// Lets one piece of work in at a time, in the order in which it came: a grain whose calls interleave keeps serial what has to
/// be. Touched on its grain's scheduler only.
/// </summary>
internal sealed class HeldTurn
{
    private Task _last = Task.CompletedTask;

    /// <summary>Completes when it is the caller's turn, which ends when the answer is disposed.</summary>
    public async Task<IDisposable> TakeAsync()
    {
        var over = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var before = _last;
        _last = over.Task;
        await before;
        return new Taken(over);
    }

    private sealed class Taken(TaskCompletionSource over) : IDisposable
    {
        public void Dispose() => over.TrySetResult();
    }
}
