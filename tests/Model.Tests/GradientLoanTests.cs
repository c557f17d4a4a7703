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
}
