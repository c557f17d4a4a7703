using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace GenSlmOrleans.Training;

/// <summary>
/// Adam (Kingma and Ba, 2015) as torch.optim.Adam computes it, in one pass over parameters, moments and gradient. Each
/// element takes the same separate multiplications and additions in every kernel, none of them fused, so the bits depend
/// neither on the width of the processor's vectors nor on how a vector is cut into blocks.
/// </summary>
public static class FusedAdam
{
    /// <summary>Applies one step to all elements; all spans have the same length.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Apply(Span<float> parameters, Span<float> firstMoment, Span<float> secondMoment, ReadOnlySpan<float> gradient, in AdamStep step)
    {
        CheckLengths(parameters.Length, firstMoment.Length, secondMoment.Length, gradient.Length);
        int done = Vector512.IsHardwareAccelerated ? Apply512(parameters, firstMoment, secondMoment, gradient, step)
            : Vector256.IsHardwareAccelerated ? Apply256(parameters, firstMoment, secondMoment, gradient, step)
            : Vector128.IsHardwareAccelerated ? Apply128(parameters, firstMoment, secondMoment, gradient, step) : 0;
        ApplyScalar(parameters[done..], firstMoment[done..], secondMoment[done..], gradient[done..], step);
    }

    /// <summary>As many whole vectors of 16 as there are; returns how many elements that was.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static int Apply512(Span<float> parameters, Span<float> firstMoment, Span<float> secondMoment, ReadOnlySpan<float> gradient, in AdamStep step)
    {
        ref float p0 = ref MemoryMarshal.GetReference(parameters), m0 = ref MemoryMarshal.GetReference(firstMoment), v0 = ref MemoryMarshal.GetReference(secondMoment);
        ref float g0 = ref MemoryMarshal.GetReference(gradient);
        var gradientScale = Vector512.Create(step.GradientScale);
        var gradientDecay = Vector512.Create(step.GradientDecay);
        var parameterScale = Vector512.Create(step.ParameterScale);
        var firstWeight = Vector512.Create(step.FirstWeight);
        var secondDecay = Vector512.Create(step.SecondDecay);
        var secondWeight = Vector512.Create(step.SecondWeight);
        var rootCorrection = Vector512.Create(step.SecondRootCorrection);
        var epsilon = Vector512.Create(step.Epsilon);
        var stepSize = Vector512.Create(step.StepSize);
        int end = parameters.Length - (parameters.Length % Vector512<float>.Count);
        for (nuint i = 0; i < (nuint)end; i += (nuint)Vector512<float>.Count)
        {
            var p = Vector512.LoadUnsafe(ref p0, i) * parameterScale;
            var g = (Vector512.LoadUnsafe(ref g0, i) * gradientScale) + (p * gradientDecay);
            var m = Vector512.LoadUnsafe(ref m0, i);
            m += firstWeight * (g - m);
            var v = (Vector512.LoadUnsafe(ref v0, i) * secondDecay) + (secondWeight * g * g);
            p -= stepSize * m / ((Vector512.Sqrt(v) / rootCorrection) + epsilon);
            m.StoreUnsafe(ref m0, i);
            v.StoreUnsafe(ref v0, i);
            p.StoreUnsafe(ref p0, i);
        }

        return end;
    }

    /// <summary>As many whole vectors of 8 as there are; returns how many elements that was.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static int Apply256(Span<float> parameters, Span<float> firstMoment, Span<float> secondMoment, ReadOnlySpan<float> gradient, in AdamStep step)
    {
        ref float p0 = ref MemoryMarshal.GetReference(parameters), m0 = ref MemoryMarshal.GetReference(firstMoment), v0 = ref MemoryMarshal.GetReference(secondMoment);
        ref float g0 = ref MemoryMarshal.GetReference(gradient);
        var gradientScale = Vector256.Create(step.GradientScale);
        var gradientDecay = Vector256.Create(step.GradientDecay);
        var parameterScale = Vector256.Create(step.ParameterScale);
        var firstWeight = Vector256.Create(step.FirstWeight);
        var secondDecay = Vector256.Create(step.SecondDecay);
        var secondWeight = Vector256.Create(step.SecondWeight);
        var rootCorrection = Vector256.Create(step.SecondRootCorrection);
        var epsilon = Vector256.Create(step.Epsilon);
        var stepSize = Vector256.Create(step.StepSize);
        int end = parameters.Length - (parameters.Length % Vector256<float>.Count);
        for (nuint i = 0; i < (nuint)end; i += (nuint)Vector256<float>.Count)
        {
            var p = Vector256.LoadUnsafe(ref p0, i) * parameterScale;
            var g = (Vector256.LoadUnsafe(ref g0, i) * gradientScale) + (p * gradientDecay);
            var m = Vector256.LoadUnsafe(ref m0, i);
            m += firstWeight * (g - m);
            var v = (Vector256.LoadUnsafe(ref v0, i) * secondDecay) + (secondWeight * g * g);
            p -= stepSize * m / ((Vector256.Sqrt(v) / rootCorrection) + epsilon);
            m.StoreUnsafe(ref m0, i);
            v.StoreUnsafe(ref v0, i);
            p.StoreUnsafe(ref p0, i);
        }

        return end;
    }

    /// <summary>As many whole vectors of 4 as there are; returns how many elements that was.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal static int Apply128(Span<float> parameters, Span<float> firstMoment, Span<float> secondMoment, ReadOnlySpan<float> gradient, in AdamStep step)
    {
        ref float p0 = ref MemoryMarshal.GetReference(parameters), m0 = ref MemoryMarshal.GetReference(firstMoment), v0 = ref MemoryMarshal.GetReference(secondMoment);
        ref float g0 = ref MemoryMarshal.GetReference(gradient);
        var gradientScale = Vector128.Create(step.GradientScale);
        var gradientDecay = Vector128.Create(step.GradientDecay);
        var parameterScale = Vector128.Create(step.ParameterScale);
        var firstWeight = Vector128.Create(step.FirstWeight);
        var secondDecay = Vector128.Create(step.SecondDecay);
        var secondWeight = Vector128.Create(step.SecondWeight);
        var rootCorrection = Vector128.Create(step.SecondRootCorrection);
        var epsilon = Vector128.Create(step.Epsilon);
        var stepSize = Vector128.Create(step.StepSize);
        int end = parameters.Length - (parameters.Length % Vector128<float>.Count);
        for (nuint i = 0; i < (nuint)end; i += (nuint)Vector128<float>.Count)
        {
            var p = Vector128.LoadUnsafe(ref p0, i) * parameterScale;
            var g = (Vector128.LoadUnsafe(ref g0, i) * gradientScale) + (p * gradientDecay);
            var m = Vector128.LoadUnsafe(ref m0, i);
            m += firstWeight * (g - m);
            var v = (Vector128.LoadUnsafe(ref v0, i) * secondDecay) + (secondWeight * g * g);
            p -= stepSize * m / ((Vector128.Sqrt(v) / rootCorrection) + epsilon);
            m.StoreUnsafe(ref m0, i);
            v.StoreUnsafe(ref v0, i);
            p.StoreUnsafe(ref p0, i);
        }

        return end;
    }

    /// <summary>One element after the other.</summary>
    internal static void ApplyScalar(Span<float> parameters, Span<float> firstMoment, Span<float> secondMoment, ReadOnlySpan<float> gradient, in AdamStep step)
    {
        for (int i = 0; i < parameters.Length; i++)
        {
            float p = parameters[i] * step.ParameterScale;
            float g = (gradient[i] * step.GradientScale) + (p * step.GradientDecay);
            float m = firstMoment[i];
            m += step.FirstWeight * (g - m);
            float v = (secondMoment[i] * step.SecondDecay) + (step.SecondWeight * g * g);
            p -= step.StepSize * m / ((MathF.Sqrt(v) / step.SecondRootCorrection) + step.Epsilon);
            firstMoment[i] = m;
            secondMoment[i] = v;
            parameters[i] = p;
        }
    }

    private static void CheckLengths(int parameters, int firstMoment, int secondMoment, int gradient)
    {
        if (firstMoment != parameters || secondMoment != parameters || gradient != parameters)
            throw new ArgumentException($"Parameters, moments and gradient have {parameters}, {firstMoment}, {secondMoment} and {gradient} elements; they must have as many.");
    }
}
