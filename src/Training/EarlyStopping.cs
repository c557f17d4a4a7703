namespace GenSlmOrleans.Training;

/// <summary>What early stopping remembers: part of every checkpoint.</summary>
/// <param name="Best">Lowest validation loss; positive infinity before the first.</param>
/// <param name="BadCount">Validations since without improvement.</param>
public sealed record EarlyStoppingState(double Best, int BadCount)
{
    public static EarlyStoppingState Initial { get; } = new(double.PositiveInfinity, 0);
}

/// <summary>
/// Ends a run whose validation loss has stopped falling: Lightning's EarlyStopping, mode min, but for check_finite: a loss that
/// is not a number is one more without improvement, not the end.
/// </summary>
/// <param name="Patience">Validations without improvement that end the run; 0 as 1; null: never.</param>
/// <param name="MinimumDelta">How much lower a loss must be to count as an improvement.</param>
public sealed record EarlyStopping(int? Patience, double MinimumDelta = 0)
{
    /// <summary>Takes note of a validation.</summary>
    public EarlyStoppingState Observe(EarlyStoppingState state, double validationLoss) =>
        validationLoss < state.Best - MinimumDelta ? new EarlyStoppingState(validationLoss, 0) : state with { BadCount = state.BadCount + 1 };

    /// <summary>Whether the patience is at an end; never right after an improvement.</summary>
    public bool ShouldStop(EarlyStoppingState state) => state.BadCount > 0 && state.BadCount >= Patience;
}
