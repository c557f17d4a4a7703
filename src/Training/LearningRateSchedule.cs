namespace GenSlmOrleans.Training;

/// <summary>How the learning rate changes over the steps.</summary>
public enum ScheduleKind
{
    Constant,

    /// <summary>transformers.get_constant_schedule_with_warmup.</summary>
    Linear,

    /// <summary>transformers.get_cosine_schedule_with_warmup, half a period.</summary>
    Cosine,

    /// <summary>torch.optim.lr_scheduler.ReduceLROnPlateau, mode min, relative threshold; without warm-up.</summary>
    Plateau,
}

/// <summary>What the plateau schedule remembers: part of every checkpoint.</summary>
/// <param name="Reductions">How often the patience ran out.</param>
/// <param name="Best">Lowest validation loss; positive infinity before the first.</param>
/// <param name="BadCount">Validations since without improvement.</param>
public sealed record PlateauState(int Reductions, double Best, int BadCount)
{
    public static PlateauState Initial { get; } = new(0, double.PositiveInfinity, 0);
}

/// <summary>The learning rate of each optimizer step: a pure function of the step and, for a plateau, of the validations before it.</summary>
/// <param name="Kind">Its course.</param>
/// <param name="BaseLearningRate">Its height.</param>
/// <param name="WarmupSteps">Steps over which it rises from 0 (linear, cosine).</param>
/// <param name="TotalSteps">Steps of the run, after which a cosine is at 0.</param>
/// <param name="PlateauFactor">What a plateau multiplies it by.</param>
/// <param name="PlateauPatience">Validations without improvement that a plateau lets pass.</param>
public sealed record LearningRateSchedule(
    ScheduleKind Kind, double BaseLearningRate, long WarmupSteps, long TotalSteps, double PlateauFactor = 0.1, int PlateauPatience = 10)
{
    private const double PlateauThreshold = 1e-4;

    // ReduceLROnPlateau's eps: a cut smaller than this is not made.
    private const double SmallestCut = 1e-8;

    /// <summary>
    /// The rate of <paramref name="step"/>, which counts from 1; the Python schedules count from 0. Their warm-up therefore
    /// gives the first step a rate of 0, and so does ours; a cosine is at 0 at the step after the last. No function of the C
    /// library is called, whose last bit is not the same on all processors.
    /// </summary>
    public double At(long step, PlateauState state)
    {
        long done = step - 1;
        return Kind switch
        {
            ScheduleKind.Plateau => AfterReductions(state.Reductions),
            ScheduleKind.Linear or ScheduleKind.Cosine when done < WarmupSteps => BaseLearningRate * done / WarmupSteps,
            ScheduleKind.Cosine => BaseLearningRate * 0.5 * (1 + double.CosPi((double)(done - WarmupSteps) / Math.Max(1, TotalSteps - WarmupSteps))),
            _ => BaseLearningRate,
        };
    }

    /// <summary>Takes note of a validation.</summary>
    public PlateauState Observe(PlateauState state, double validationLoss)
    {
        // The first loss is better than infinity, whatever it is but NaN.
        if (validationLoss < (double.IsPositiveInfinity(state.Best) ? state.Best : state.Best * (1 - PlateauThreshold)))
            return state with { Best = validationLoss, BadCount = 0 };
        return state.BadCount < PlateauPatience
            ? state with { BadCount = state.BadCount + 1 }
            : state with { Reductions = state.Reductions + 1, BadCount = 0 };
    }

    private double AfterReductions(int reductions)
    {
        double rate = BaseLearningRate;
        // Once a cut is too small to be made, all that follow are.
        for (int i = 0; i < reductions && rate - (rate * PlateauFactor) > SmallestCut; i++) rate *= PlateauFactor;
        return rate;
    }
}
