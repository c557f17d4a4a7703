using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Grains.Runs;

namespace GenSlmOrleans.Grains.Tests;

/// <summary>Where a run's time goes: no second is counted twice, and none is left out.</summary>
public sealed class RunClockTests
{
    private readonly InstantTime _time = new();

    [Fact]
    public void Each_second_belongs_to_one_use_and_all_of_them_to_the_lines_that_follow()
    {
        var clock = new RunClock(_time);
        double inLines = 0;
        Spend(clock, 7, TimeUse.Preparing);
        inLines += Spend(clock, 2, TimeUse.Stepping) + clock.TakeOther();
        Spend(clock, 5, TimeUse.Waiting);
        inLines += Spend(clock, 3, TimeUse.Stepping) + clock.TakeOther();
        inLines += Spend(clock, 11, TimeUse.Validating) + clock.TakeOther();
        Spend(clock, 13, TimeUse.Checkpointing);
        inLines += Spend(clock, 2, TimeUse.Stepping) + clock.TakeOther();
        Assert.Equal(new RunSeconds(Preparing: 7, Stepping: 7, Validating: 11, Checkpointing: 13, Waiting: 5), clock.Spent);
        Assert.Equal((43, 43), (inLines, clock.Spent.Total));
    }

    [Fact]
    public void What_an_earlier_driver_has_spent_comes_on_top()
    {
        var clock = new RunClock(_time);
        Spend(clock, 4, TimeUse.Preparing);
        clock.GoOnFrom(new RunSeconds(Stepping: 100, Validating: 10), clock.Spent);
        Spend(clock, 1, TimeUse.Stepping);
        Assert.Equal(new RunSeconds(Preparing: 4, Stepping: 101, Validating: 10), clock.Spent);
    }

    private double Spend(RunClock clock, int seconds, TimeUse use)
    {
        _time.Advance(TimeSpan.FromSeconds(seconds));
        return clock.Lap(use);
    }
}
