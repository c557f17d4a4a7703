namespace GenSlmOrleans.Grains.Devices;

/// <summary>
/// How long a device's micro-batches take, and so how long it may say nothing of itself: ten times the longest so far, and as many
/// times more as the one at hand is larger than any before it. What the device has proven itself with is the first.
/// </summary>
public sealed class MicroBatchPace
{
    private const int PatienceMicroBatches = 10;

    /// <summary>However fast its micro-batches are: a page fault on a slow disk is no hang.</summary>
    public static readonly TimeSpan LeastPatience = TimeSpan.FromSeconds(30);

    // What is expected of larger ones is a guess, in which kernels are chosen and memory is touched: it goes no further than this.
    private static readonly TimeSpan MostGuessed = TimeSpan.FromMinutes(10);

    private readonly Lock _lock = new();
    private TimeSpan _longest;
    private int _largest = 1;
    private int _atHand;

    /// <summary>The longest that a micro-batch has taken.</summary>
    public TimeSpan Longest
    {
        get
        {
            lock (_lock) return _longest;
        }
    }

    /// <summary>How long the one at hand may take before the device is given up.</summary>
    public TimeSpan Patience
    {
        get
        {
            lock (_lock)
            {
                var known = Longer(_longest * PatienceMicroBatches, LeastPatience);
                if (_atHand <= _largest) return known;
                var guessed = _longest * (PatienceMicroBatches * ((double)_atHand / _largest));
                return Longer(guessed < MostGuessed ? guessed : MostGuessed, known);
            }
        }
    }

    /// <summary>One begins.</summary>
    /// <param name="tokens">Its rows times its columns.</param>
    public void Begin(int tokens)
    {
        lock (_lock) _atHand = tokens;
    }

    /// <summary>It is done.</summary>
    public void Done(TimeSpan took)
    {
        lock (_lock) (_longest, _largest) = (Longer(took, _longest), Math.Max(_atHand, _largest));
    }

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
