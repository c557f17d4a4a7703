namespace GenSlmOrleans.Training;

/// <summary>Adam's settings: torch.optim.Adam's defaults, or AdamW's when <paramref name="Decoupled"/>.</summary>
/// <param name="Beta1">Decay of the first moment.</param>
/// <param name="Beta2">Decay of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment, outside of it.</param>
/// <param name="WeightDecay">Added to the gradient, or taken from the parameters when <paramref name="Decoupled"/>.</param>
/// <param name="Decoupled">AdamW (Loshchilov and Hutter, 2019).</param>
public sealed record AdamOptions(double Beta1 = 0.9, double Beta2 = 0.999, double Epsilon = 1e-8, double WeightDecay = 0, bool Decoupled = false);

/// <summary>The numbers of one optimizer step, computed in double and rounded once, as torch's single-tensor CPU path does.</summary>
/// <param name="GradientScale">Multiplies the gradient: window factor times clip factor.</param>
/// <param name="GradientDecay">Times the parameter, added to the gradient (Adam's weight decay).</param>
/// <param name="ParameterScale">Multiplies the parameter first (AdamW's weight decay).</param>
/// <param name="FirstWeight">1 - beta1.</param>
/// <param name="SecondDecay">beta2.</param>
/// <param name="SecondWeight">1 - beta2.</param>
/// <param name="SecondRootCorrection">The square root of 1 - beta2^step.</param>
/// <param name="Epsilon">Added to the corrected root.</param>
/// <param name="StepSize">Learning rate / (1 - beta1^step).</param>
public readonly record struct AdamStep(
    float GradientScale,
    float GradientDecay,
    float ParameterScale,
    float FirstWeight,
    float SecondDecay,
    float SecondWeight,
    float SecondRootCorrection,
    float Epsilon,
    float StepSize)
{
    /// <param name="options">Adam's settings.</param>
    /// <param name="step">Counts from 1.</param>
    /// <param name="learningRate">Of this step.</param>
    /// <param name="gradientScale">Window factor times clip factor.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="step"/> is below 1.</exception>
    public static AdamStep Create(AdamOptions options, long step, double learningRate, double gradientScale)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(step, 1);
        return new(
            (float)gradientScale,
            options.Decoupled ? 0f : (float)options.WeightDecay,
            options.Decoupled ? (float)(1 - (learningRate * options.WeightDecay)) : 1f,
            (float)(1 - options.Beta1),
            (float)options.Beta2,
            (float)(1 - options.Beta2),
            (float)Math.Sqrt(1 - Power(options.Beta2, step)),
            (float)options.Epsilon,
            (float)(learningRate / (1 - Power(options.Beta1, step))));
    }

    /// <summary>
    /// Power by squaring. Math.Pow is the C library's, whose last bit depends on the library and, in glibc, on whether the
    /// processor fuses multiplications and additions; multiplications alone are the same everywhere.
    /// </summary>
    internal static double Power(double factor, long exponent)
    {
        double power = 1;
        for (; exponent > 0; exponent >>= 1, factor *= factor)
            if ((exponent & 1) != 0) power *= factor;
        return power;
    }
}
