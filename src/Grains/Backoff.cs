namespace GenSlmOrleans.Grains;

/// <summary>
/// Pauses between tries, each twice as long as the one before up to a longest, until a patience is over. Used by one
/// loop at a time: what is repeated is bounded, and does not add to the congestion that made it fail.
/// </summary>
/// <param name="time">The clock.</param>
/// <param name="patience">How long after the first pause it is tried again.</param>
/// <param name="fewestTries">How often it is tried again however long that takes: a try that is long by itself must not use the patience up.</param>
internal sealed class Backoff(TimeProvider time, TimeSpan patience, int fewestTries = 0)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(25);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(2);

    private TimeSpan _next = First;
    private long? _began;

    /// <summary>How often it has paused.</summary>
    public int Tries { get; private set; }

    /// <summary>There has been progress: what fails from now on is another matter.</summary>
    public void Restart() => (_began, _next, Tries) = (null, First, 0);

    /// <summary>Pauses; false, at once, when the patience is over.</summary>
    public async Task<bool> PauseAsync(CancellationToken cancellation = default)
    {
        _began ??= time.GetTimestamp();
        if (Tries >= fewestTries && time.GetElapsedTime(_began.Value) >= patience) return false;
        await Task.Delay(_next, time, cancellation);
        Tries++;
        _next = _next * 2 < Longest ? _next * 2 : Longest;
        return true;
    }
}
