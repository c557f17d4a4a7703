namespace GenSlmOrleans.Model.Tests;

/// <summary>The device that the model is tested on: GENSLM_TEST_DEVICE (<c>cuda:0</c>), or the CPU.</summary>
internal static class TestDevice
{
    public static string Name { get; } = Choose(Environment.GetEnvironmentVariable("GENSLM_TEST_DEVICE"));

    private static string Choose(string? asked)
    {
        if (string.IsNullOrEmpty(asked) || asked == "cpu") return "cpu";
        NativeLibraries.EnsureLoaded();
        if (!AvailableDevices.Names().Contains(asked)) throw new InvalidOperationException($"GENSLM_TEST_DEVICE is '{asked}'; this machine has {string.Join(", ", AvailableDevices.Names())}.");
        DeterministicMode.Enter();
        return asked;
    }
}
