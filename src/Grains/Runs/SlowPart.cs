namespace GenSlmOrleans.Grains.Runs;

/// <summary>Something that others wait for: when it has taken long, whoever waits is told for what.</summary>
internal sealed class SlowPart(TimeProvider time)
{
    private static readonly TimeSpan First = TimeSpan.FromMinutes(1);

    private readonly long _began = time.GetTimestamp();
    private TimeSpan _next = First;

    /// <summary>How long it has taken so far.</summary>
    public double Seconds => time.GetElapsedTime(_began).TotalSeconds;

    /// <summary>Whether it is time to say so: after a minute, and whenever twice as long has passed as the last time.</summary>
    public bool IsToBeTold()
    {
        if (time.GetElapsedTime(_began) < _next) return false;
        _next *= 2;
        return true;
    }
}
