using GenSlmOrleans.Formats;
using GenSlmOrleans.Model;

namespace GenSlmOrleans.Model.Tests;

/// <summary>A gradient that is read where it lies.</summary>
public sealed class GradientLoanTests
{
    [Fact]
    public void It_goes_back_with_its_last_part_and_takes_its_memory_with_it()
    {
        NativeLibraries.EnsureLoaded();
        long before = AvailableDevices.LiveTensorCount;
        var replica = new Replica(ModelPresets.Find("tiny")!, "cpu", ComputePrecision.Fp32, PadTokens.Ignore);
        long own = AvailableDevices.LiveTensorCount;
        var gradient = replica.RentGradient();
        var loan = gradient.TryLend()!;
        Assert.Equal(own + 2, AvailableDevices.LiveTensorCount);
        _ = loan.Take(0, 10);
        loan.Return();
        Assert.Equal(1, replica.GradientsOut);
        replica.Dispose();
        Assert.Equal(before + 1, AvailableDevices.LiveTensorCount);
        loan.Return();
        Assert.Equal(before, AvailableDevices.LiveTensorCount);
        Assert.Throws<OperationCanceledException>(() => loan.Take(0, 10));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public unsafe void What_its_readers_have_left_as_zeros_is_not_cleared_again_and_what_only_some_have_is(bool all)
    {
        NativeLibraries.EnsureLoaded();
        using var replica = new Replica(ModelPresets.Find("tiny")!, "cpu", ComputePrecision.Fp32, PadTokens.Ignore);
        int count = (int)replica.ParameterCount;
        var gradient = replica.RentGradient();
        var loan = gradient.TryLend()!;
        var values = new Span<float>((void*)loan.Take(0, count), count);
        // Told to be zeros, and not: so it shows whether they are believed.
        values.Fill(1);
        loan.Return(all ? count : count - 1);
        loan.Return();
        Assert.Same(gradient, replica.RentGradient());
        Assert.Equal(all ? 1 : 0, Value(gradient, count - 1));
        // Once: what it is used for next leaves something in it.
        replica.Return(gradient);
        Assert.Same(gradient, replica.RentGradient());
        Assert.Equal(0, Value(gradient, count - 1));
    }

    private static float Value(GradientBuffer gradient, long index)
    {
        Span<float> value = stackalloc float[1];
        gradient.Read(index, value);
        return value[0];
    }
}
