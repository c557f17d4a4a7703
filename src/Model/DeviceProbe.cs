using TorchSharp;
using static TorchSharp.torch;

namespace GenSlmOrleans.Model;

/// <summary>
/// One small computation that tells, after an error on a device, whether the device still computes. CUDA has errors that stay: after
/// an illegal access every later call of the process on that device fails, whoever makes it, and only another process can use it.
/// </summary>
public static class DeviceProbe
{
    private const int Length = 256;

    /// <summary>Computes, waits for the result and looks at it.</summary>
    /// <param name="deviceName"><c>cpu</c> or <c>cuda:N</c>.</param>
    /// <exception cref="Exception">The device's error, or that the result is wrong.</exception>
    public static void Compute(string deviceName)
    {
        NativeLibraries.EnsureLoaded();
        using var noGradient = no_grad();
        using var scope = NewDisposeScope();
        float sum = ones([Length], ScalarType.Float32, device(deviceName)).mul(2).sum().cpu().item<float>();
        if (sum != 2 * Length) throw new InvalidOperationException($"{deviceName} computes {sum} where {2 * Length} is expected.");
    }

    /// <summary>Whether a device's error is that its memory is full, which passes.</summary>
    public static bool IsWantOfMemory(Exception exception) => exception.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase);
}
