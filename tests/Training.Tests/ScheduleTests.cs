namespace GenSlmOrleans.Training.Tests;

public sealed class ScheduleTests
{
    [Fact]
    public void A_constant_rate_stays()
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Constant, 5e-5, WarmupSteps: 10, TotalSteps: 100);
        foreach (long step in new long[] { 1, 5, 10, 100, 1000 }) Assert.Equal(5e-5, schedule.At(step, PlateauState.Initial));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 0.1)]
    [InlineData(6, 0.5)]
    [InlineData(10, 0.9)]
    [InlineData(11, 1)]
    [InlineData(500, 1)]
    public void Warm_up_is_a_straight_line_from_nought(long step, double share)
    {
        Assert.Equal(2e-3 * share, new LearningRateSchedule(ScheduleKind.Linear, 2e-3, WarmupSteps: 10, TotalSteps: 100).At(step, PlateauState.Initial), 1e-15);
        Assert.Equal(2e-3, new LearningRateSchedule(ScheduleKind.Linear, 2e-3, WarmupSteps: 0, TotalSteps: 100).At(step, PlateauState.Initial));
    }

    [Theory]
    [InlineData(6, 0.5)]
    [InlineData(11, 1)]
    [InlineData(41, 0.75)]
    [InlineData(56, 0.5)]
    [InlineData(71, 0.25)]
    [InlineData(101, 0)]
    public void After_warm_up_a_cosine_falls_to_nought(long step, double share) =>
        Assert.Equal(2e-3 * share, new LearningRateSchedule(ScheduleKind.Cosine, 2e-3, WarmupSteps: 10, TotalSteps: 100).At(step, PlateauState.Initial), 1e-15);

    [Fact]
    public void A_plateau_lets_its_patience_pass_and_then_cuts_the_rate()
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Plateau, 1, 0, 100, PlateauFactor: 0.5, PlateauPatience: 2);
        // (validation loss, the rate after it), as torch.optim.lr_scheduler.ReduceLROnPlateau(factor=0.5, patience=2) has it.
        (double Loss, double Rate)[] course =
        [
            (10, 1), (9, 1), (9, 1), (8.9995, 1), (9, 0.5), (9, 0.5), (9, 0.5), (9, 0.25),
            (8, 0.25), (double.NaN, 0.25), (8, 0.25), (7, 0.25), (7, 0.25), (7, 0.25), (7, 0.125),
        ];
        var state = PlateauState.Initial;
        foreach (var (loss, rate) in course)
        {
            state = schedule.Observe(state, loss);
            Assert.Equal(rate, schedule.At(1, state));
        }

        Assert.Equal(new PlateauState(3, 7, 0), state);
    }

    [Fact]
    public void A_plateau_counts_an_improvement_only_beyond_its_relative_threshold()
    {
        var schedule = new LearningRateSchedule(ScheduleKind.Plateau, 1, 0, 100);
        var state = schedule.Observe(PlateauState.Initial, 100);
        Assert.Equal(new PlateauState(0, 100, 1), schedule.Observe(state, 99.991));
        Assert.Equal(new PlateauState(0, 99.989, 0), schedule.Observe(state, 99.989));
    }

    [Fact]
    public void Early_stopping_ends_after_as_many_validations_without_improvement_as_its_patience()
    {
        var stopping = new EarlyStopping(Patience: 2, MinimumDelta: 0.5);
        (double Loss, int BadCount, double Best)[] course = [(10, 0, 10), (9.6, 1, 10), (9.4, 0, 9.4), (double.NaN, 1, 9.4), (8.9, 2, 9.4)];
        var state = EarlyStoppingState.Initial;
        foreach (var (loss, badCount, best) in course)
        {
            Assert.False(stopping.ShouldStop(state));
            state = stopping.Observe(state, loss);
            Assert.Equal(new EarlyStoppingState(best, badCount), state);
        }

        Assert.True(stopping.ShouldStop(state));
        Assert.False(new EarlyStopping(Patience: null).ShouldStop(state with { BadCount = int.MaxValue }));
        Assert.Equal(1, new EarlyStopping(1).Observe(new EarlyStoppingState(3, 0), 3).BadCount);
    }
}
