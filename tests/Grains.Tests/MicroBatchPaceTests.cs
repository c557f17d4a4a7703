using GenSlmOrleans.Grains.Devices;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>How long a device may be at a micro-batch, from what it has shown of itself.</summary>
public sealed class MicroBatchPaceTests
{
    [Theory]
    [InlineData(0.1, 64, 64, 30)]
    [InlineData(0.1, 64, 4096, 64)]
    [InlineData(6, 64, 64, 60)]
    [InlineData(6, 64, 32, 60)]
    [InlineData(6, 64, 128, 120)]
    [InlineData(6, 64, 6400, 600)]
    [InlineData(120, 64, 6400, 1200)]
    public void It_is_ten_times_the_longest_and_more_for_a_larger_one(double longestSeconds, int tokens, int tokensAtHand, double patienceSeconds)
    {
        var pace = new MicroBatchPace();
        pace.Begin(tokens);
        pace.Done(TimeSpan.FromSeconds(longestSeconds));
        pace.Begin(tokens / 2);
        pace.Done(TimeSpan.FromSeconds(longestSeconds / 2));
        pace.Begin(tokensAtHand);
        Assert.Equal(patienceSeconds, pace.Patience.TotalSeconds, 3);
        Assert.Equal(longestSeconds, pace.Longest.TotalSeconds, 3);
    }
}
