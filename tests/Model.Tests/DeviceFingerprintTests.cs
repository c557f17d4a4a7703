namespace GenSlmOrleans.Model.Tests;

public sealed class DeviceFingerprintTests
{
    [Fact]
    public void A_processor_s_fingerprint_names_its_model_and_libtorch_and_stays_the_same()
    {
        var fingerprint = DeviceFingerprint.Of("cpu");
        Assert.Matches(@"^cpu \w+( \d+/\d+)?(, [\w -]+)*, libtorch 2[.\d]+(\+\w+)?(, \w+=.*)?$", fingerprint);
        Assert.Equal(fingerprint, DeviceFingerprint.Of("cpu"));
        if (OperatingSystem.IsLinux() && System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64)
            Assert.Matches(", (AVX512|AVX2|DEFAULT|NO AVX), ", fingerprint);
    }

    [Fact]
    public void A_setting_that_makes_a_library_choose_other_kernels_is_part_of_it()
    {
        var without = DeviceFingerprint.Of("cpu");
        Environment.SetEnvironmentVariable("MKL_CBWR", "AVX2");
        try
        {
            Assert.Equal($"{without}, MKL_CBWR=AVX2", DeviceFingerprint.Of("cpu"));
        }
        finally
        {
            Environment.SetEnvironmentVariable("MKL_CBWR", null);
        }
    }
}
