using GenSlmOrleans.Abstractions;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>What a run's time goes to.</summary>
internal enum TimeUse
{
    Preparing,
    Stepping,
    Validating,
    Checkpointing,
    Waiting,
}

/// <summary>
/// Where a run's wall time goes: whatever has passed since the last lap belongs to the use that is named now, so that no second
/// is counted twice and none is left out.
/// </summary>
internal sealed class RunClock(TimeProvider time)
{
    private long _lap = time.GetTimestamp();

    /// <summary>What the run's time went to so far.</summary>
    public RunSeconds Spent { get; private set; } = new();

    /// <summary>Seconds since the last step's, or validation's, that were neither: since <see cref="TakeOther"/>.</summary>
    private double _other;

    /// <summary>Goes on from what a checkpoint or an earlier driver remembers; what this driver has spent comes on top.</summary>
    public void GoOnFrom(RunSeconds before, RunSeconds own) => Spent = before + own;

    /// <summary>Ends a lap; its seconds.</summary>
    public double Lap(TimeUse use)
    {
        long now = time.GetTimestamp();
        double seconds = time.GetElapsedTime(_lap, now).TotalSeconds;
        _lap = now;
        Spent = use switch
        {
            TimeUse.Preparing => Spent with { Preparing = Spent.Preparing + seconds },
            TimeUse.Stepping => Spent with { Stepping = Spent.Stepping + seconds },
            TimeUse.Validating => Spent with { Validating = Spent.Validating + seconds },
            TimeUse.Checkpointing => Spent with { Checkpointing = Spent.Checkpointing + seconds },
            _ => Spent with { Waiting = Spent.Waiting + seconds },
        };
        if (use is TimeUse.Preparing or TimeUse.Checkpointing or TimeUse.Waiting) _other += seconds;
        return seconds;
    }

    /// <summary>Seconds of neither steps nor validations since it was asked last.</summary>
    public double TakeOther()
    {
        double other = _other;
        _other = 0;
        return other;
    }
}
