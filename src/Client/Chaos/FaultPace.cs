namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// How long faults last and are waited for: what is long for a step of the tiny model is an instant for one of a large one.
/// </summary>
/// <param name="Detection">Within which time silos are declared dead.</param>
/// <param name="Step">What an undisturbed step takes.</param>
/// <param name="MicroBatch">What one of its micro-batches takes.</param>
/// <param name="LastStep">After which the run is over.</param>
internal sealed record FaultPace(TimeSpan Detection, TimeSpan Step, TimeSpan MicroBatch, long LastStep)
{
    // Silos that share the cores of one machine are slower together than the one of the undisturbed run.
    public const int Slowdown = 3;

    // Until a silo of the same name has come up.
    private static readonly TimeSpan ComesUp = TimeSpan.FromSeconds(10);

    /// <summary>The pace of a run that goes <paramref name="undisturbed"/>.</summary>
    public static FaultPace Of(ChaosOutcome undisturbed, TimeSpan detection)
    {
        var (status, steps) = (undisturbed.Status, Math.Max(1, undisturbed.Status.Step));
        double step = status.Seconds / steps;
        double perStep = Math.Max(1, undisturbed.MicroBatches / steps);
        return new FaultPace(detection, TimeSpan.FromSeconds(step), TimeSpan.FromSeconds(step / perStep), status.Step);
    }

    /// <summary>Within which a phase of a step comes, if it comes.</summary>
    public TimeSpan Phase => AtLeast(30, 10);

    /// <summary>Within which a run goes on without a silo, if it does.</summary>
    public TimeSpan GoesOn => Detection + AtLeast(20, 3);

    /// <summary>A stopped silo stays stopped until it has been declared dead; so does a part of the network.</summary>
    public TimeSpan Pause => 3 * Detection;

    /// <summary>A silo is slow for some steps.</summary>
    public TimeSpan Slow => AtLeast(6, 2);

    /// <summary>A silo that leaves hands over at the end of a step, and has a minute for it.</summary>
    public TimeSpan Drain => AtLeast(90, 10);

    /// <summary>A full disk is full for as long as it takes to want to write.</summary>
    public TimeSpan Full => AtLeast(30, 6);

    /// <summary>A slow disk is slow over more than one checkpoint.</summary>
    public TimeSpan SlowDisk => AtLeast(20, 8);

    /// <summary>A device may be without progress for ten of its micro-batches, and for 30 s: it hangs for twice that and more.</summary>
    public TimeSpan Hang
    {
        get
        {
            var bound = Slowdown * 10 * MicroBatch;
            return 2.5 * (bound > TimeSpan.FromSeconds(30) ? bound : TimeSpan.FromSeconds(30));
        }
    }

    /// <summary>A device is as patient as its micro-batches are long, and on a machine that others use as well nobody knows how long that is: it hangs for so long at most.</summary>
    public TimeSpan LongestHang => 4 * Hang;

    /// <summary>What a fault costs a run, about.</summary>
    public TimeSpan Cost(FaultKind kind) => (2 * Slowdown * Step) + kind switch
    {
        FaultKind.Join => TimeSpan.Zero,
        FaultKind.Slow => Slow,
        FaultKind.Disk => Full / 2,
        FaultKind.SlowDisk => SlowDisk,
        FaultKind.Hang => Hang,
        FaultKind.Pause or FaultKind.Partition => Pause + ComesUp,
        _ => ComesUp,
    };

    private TimeSpan AtLeast(double seconds, int steps)
    {
        var scaled = Slowdown * steps * Step;
        return scaled > TimeSpan.FromSeconds(seconds) ? scaled : TimeSpan.FromSeconds(seconds);
    }
}
