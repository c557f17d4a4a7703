using System.Globalization;
using System.Runtime.InteropServices;

namespace GenSlmOrleans.Model;

/// <summary>Which GPU of the machine a device name means: the names count only what the process sees.</summary>
public static class GpuIdentity
{
    private const string Driver = "libcuda.so.1";

    /// <summary>What every process calls the GPU, whatever it sees of the others; its universal id where the driver tells.</summary>
    /// <param name="device">As <see cref="AvailableDevices.Names"/> has it: <c>cuda:N</c>.</param>
    public static string Of(string device)
    {
        int index = int.Parse(device.AsSpan(device.IndexOf(':') + 1), NumberStyles.None, CultureInfo.InvariantCulture);
        return UniversalId(index) ?? ByVisibility(index, Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES"));
    }

    /// <summary>The entry of CUDA_VISIBLE_DEVICES that the number means, or the number.</summary>
    public static string ByVisibility(int index, string? visible)
    {
        var entries = (visible ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return index < entries.Length ? entries[index] : index.ToString(CultureInfo.InvariantCulture);
    }

    private static string? UniversalId(int index)
    {
        try
        {
            var bytes = new byte[16];
            return cuInit(0) == 0 && cuDeviceGet(out int device, index) == 0 && cuDeviceGetUuid_v2(bytes, device) == 0 ? Convert.ToHexStringLower(bytes) : null;
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    [DllImport(Driver)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int cuInit(uint flags);

    [DllImport(Driver)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int cuDeviceGet(out int device, int ordinal);

    // Of a slice of a GPU, the slice's.
    [DllImport(Driver)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int cuDeviceGetUuid_v2([Out] byte[] uuid, int device);
}
