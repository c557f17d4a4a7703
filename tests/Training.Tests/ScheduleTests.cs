using System.Runtime.InteropServices;
using System.Security.Cryptography;

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
    public void A_plateau_makes_no_cut_smaller_than_that_of_torch()
    {
        // ReduceLROnPlateau's eps is 1e-8: from 1e-8 to 1e-9 is less.
        var schedule = new LearningRateSchedule(ScheduleKind.Plateau, 1e-5, 0, 100);
        double[] rates = [1e-5, 1e-6, 1e-7, 1e-8, 1e-8, 1e-8];
        for (int i = 0; i < rates.Length; i++) Assert.Equal(rates[i], schedule.At(1, new PlateauState(i, 1, 0)), 1e-20);
        Assert.Equal(schedule.At(1, new PlateauState(3, 1, 0)), schedule.At(1, new PlateauState(int.MaxValue, 1, 0)));
    }

    [Fact]
    public void Rates_and_the_numbers_of_a_step_have_the_same_bits_on_every_machine()
    {
        var cosine = new LearningRateSchedule(ScheduleKind.Cosine, 1e-5, WarmupSteps: 100, TotalSteps: 10_000);
        var plateau = new LearningRateSchedule(ScheduleKind.Plateau, 1e-3, 0, 100, PlateauFactor: 0.7);
        var found = new List<double>();
        for (int t = 1; t <= 10_000; t++)
        {
            double rate = cosine.At(t, PlateauState.Initial);
            var step = AdamStep.Create(new AdamOptions(), t, rate, 1);
            found.AddRange(rate, plateau.At(t, new PlateauState(t % 30, 1, 0)), AdamStep.Power(0.9, t), AdamStep.Power(0.999, t), step.StepSize, step.SecondRootCorrection);
        }

        Assert.True(BitConverter.IsLittleEndian);
        Assert.StartsWith("1d09c3e5e21f4ad461b8bc867fb6ffb9088f71d404de7132b1", Convert.ToHexStringLower(SHA256.HashData(MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(found)))), StringComparison.Ordinal);
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
        // Lightning asks only after a validation without improvement.
        Assert.False(new EarlyStopping(Patience: 0).ShouldStop(EarlyStoppingState.Initial));
        Assert.True(new EarlyStopping(Patience: 0).ShouldStop(new EarlyStoppingState(3, 1)));
        Assert.Equal(1, new EarlyStopping(1).Observe(new EarlyStoppingState(3, 0), 3).BadCount);
    }
}
