using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Training;

namespace GenSlmOrleans.Grains.Runs;

/// <summary>The states of schedule and early stopping, as a run's progress keeps them.</summary>
internal static class ProgressStates
{
    public static PlateauState Plateau(TrainingProgress progress) =>
        new(progress.PlateauReductions, progress.PlateauBest ?? double.PositiveInfinity, progress.PlateauBadCount);

    /// <summary>The progress after a validation.</summary>
    public static TrainingProgress Validated(TrainingProgress progress, RunPlan plan, double loss)
    {
        bool best = progress.BestValidationLoss is not { } lowest || loss < lowest;
        var plateau = plan.Schedule.Observe(Plateau(progress), loss);
        var patience = plan.EarlyStopping.Observe(Patience(progress), loss);
        return progress with
        {
            ValidationLoss = loss,
            BestValidationLoss = best ? loss : progress.BestValidationLoss,
            BestStep = best ? progress.Step : progress.BestStep,
            PlateauReductions = plateau.Reductions,
            PlateauBest = Finite(plateau.Best),
            PlateauBadCount = plateau.BadCount,
            EarlyStoppingBest = Finite(patience.Best),
            EarlyStoppingBadCount = patience.BadCount,
            StoppedEarly = plan.EarlyStopping.ShouldStop(patience),
        };
    }

    private static EarlyStoppingState Patience(TrainingProgress progress) =>
        new(progress.EarlyStoppingBest ?? double.PositiveInfinity, progress.EarlyStoppingBadCount);

    private static double? Finite(double value) => double.IsFinite(value) ? value : null;
}
