namespace GenSlmOrleans.Training;

/// <summary>Clipping by the global norm: torch.nn.utils.clip_grad_norm_, with a sum that does not depend on the partitioning.</summary>
public static class GradientClip
{
    private const double Margin = 1e-6;

    /// <summary>The norm of the scaled gradient, from its blocks' squared norms in block order.</summary>
    public static double GlobalNorm(ReadOnlySpan<double> squaredNormsInBlockOrder, double gradientScale)
    {
        double sum = 0;
        foreach (double norm in squaredNormsInBlockOrder) sum += norm;
        return Math.Sqrt(sum) * Math.Abs(gradientScale);
    }

    /// <summary>What to multiply the gradient by so that its norm is at most <paramref name="maximumNorm"/>; 1 when that is 0, for no clipping.</summary>
    public static double Factor(double globalNorm, double maximumNorm) =>
        maximumNorm == 0 ? 1 : Math.Min(1, maximumNorm / (globalNorm + Margin));
}
