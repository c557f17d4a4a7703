namespace GenSlmOrleans.Training;

public sealed record AdamOptions(double LearningRate, double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0, bool Decoupled = false);

public readonly record struct AdamStep(float GradientScale, float Decay, float Shrink, float Beta1Complement, float Beta2, float Beta2Complement, float RootCorrection, float Epsilon, float StepSize)
{
    public static AdamStep Create(AdamOptions options, long step, double learningRate, double gradientScale)
    {
        double correction1 = 1 - Math.Pow(options.Beta1, step), correction2 = 1 - Math.Pow(options.Beta2, step);
        return new AdamStep(
            (float)gradientScale,
            options.Decoupled ? 0f : (float)options.WeightDecay,
            options.Decoupled ? (float)(1 - learningRate * options.WeightDecay) : 1f,
            (float)(1 - options.Beta1), (float)options.Beta2, (float)(1 - options.Beta2),
            (float)Math.Sqrt(correction2), (float)options.Epsilon, (float)(learningRate / correction1));
    }
}

public static class FusedAdam
{
    public static void Apply(Span<float> parameters, Span<float> firstMoment, Span<float> secondMoment, ReadOnlySpan<float> gradient, in AdamStep step)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            float p = parameters[i] * step.Shrink, g = gradient[i] * step.GradientScale + step.Decay * p;
            float m = firstMoment[i] + step.Beta1Complement * (g - firstMoment[i]);
            float v = step.Beta2 * secondMoment[i] + step.Beta2Complement * g * g;
            firstMoment[i] = m;
            secondMoment[i] = v;
            parameters[i] = p - step.StepSize * (m / (MathF.Sqrt(v) / step.RootCorrection + step.Epsilon));
        }
    }
}

public static class BlockArithmetic
{
    public static void AddInPlace(Span<float> left, ReadOnlySpan<float> right)
    {
        for (int i = 0; i < left.Length; i++) left[i] += right[i];
    }

    public static double SquaredNorm(ReadOnlySpan<float> block)
    {
        double sum = 0;
        foreach (float value in block) sum += (double)value * value;
        return sum;
    }
}

public static class GradientClip
{
    public static double GlobalNorm(ReadOnlySpan<double> squaredNormsInBlockOrder, double gradientScale)
    {
        double sum = 0;
        foreach (double norm in squaredNormsInBlockOrder) sum += norm;
        return Math.Sqrt(sum) * Math.Abs(gradientScale);
    }

    public static double Factor(double globalNorm, double maximumNorm) => maximumNorm == 0 ? 1 : Math.Min(1, maximumNorm / (globalNorm + 1e-6));
}
