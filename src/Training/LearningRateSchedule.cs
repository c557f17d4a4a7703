namespace GenSlmOrleans.Training;

public enum ScheduleKind { Constant, Linear, Cosine, Plateau }

public sealed record PlateauState(int Reductions, double Best, int BadCount);

public sealed record LearningRateSchedule(ScheduleKind Kind, double BaseLearningRate, long WarmupSteps, long TotalSteps, double PlateauFactor = 0.1, int PlateauPatience = 10)
{
    public double At(long step, PlateauState state)
    {
        if (Kind == ScheduleKind.Constant) return BaseLearningRate;
        if (Kind == ScheduleKind.Plateau) return BaseLearningRate * Math.Pow(PlateauFactor, state.Reductions);
        long done = step - 1;
        if (done < WarmupSteps) return BaseLearningRate * done / Math.Max(1, WarmupSteps);
        if (Kind == ScheduleKind.Linear) return BaseLearningRate;
        return BaseLearningRate * 0.5 * (1 + Math.Cos(Math.PI * (done - WarmupSteps) / Math.Max(1, TotalSteps - WarmupSteps)));
    }

    public PlateauState Observe(PlateauState state, double validationLoss)
    {
        if (validationLoss < state.Best * (1 - 1e-4) || double.IsPositiveInfinity(state.Best)) return state with { Best = validationLoss, BadCount = 0 };
        int bad = state.BadCount + 1;
        return bad > PlateauPatience ? state with { Reductions = state.Reductions + 1, BadCount = 0 } : state with { BadCount = bad };
    }
}

public sealed record EarlyStoppingState(double Best, int BadCount);

public sealed record EarlyStopping(int? Patience, double MinimumDelta = 0)
{
    public EarlyStoppingState Observe(EarlyStoppingState state, double validationLoss) =>
        validationLoss < state.Best - MinimumDelta ? new(validationLoss, 0) : state with { BadCount = state.BadCount + 1 };

    public bool ShouldStop(EarlyStoppingState state) => Patience is { } patience && state.BadCount >= patience;
}
