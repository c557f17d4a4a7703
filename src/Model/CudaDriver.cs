using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace GenSlmOrleans.Model;

/// <summary>What NVIDIA's driver says of a GPU, which TorchSharp does not.</summary>
internal static class CudaDriver
{
    private const string Library = "libcuda.so.1";
    private const string WindowsLibrary = "nvcuda.dll";

    /// <summary>A GPU's model: NVIDIA H100 80GB HBM3; the device's own name where the driver does not answer.</summary>
    /// <param name="deviceName"><c>cuda:N</c>, counted as libtorch does, within CUDA_VISIBLE_DEVICES.</param>
    public static unsafe string NameOf(string deviceName)
    {
        if (!NativeLibrary.TryLoad(OperatingSystem.IsWindows() ? WindowsLibrary : Library, out nint driver)
            || !NativeLibrary.TryGetExport(driver, "cuInit", out nint initialize)
            || !NativeLibrary.TryGetExport(driver, "cuDeviceGetName", out nint getName)
            || !int.TryParse(deviceName.AsSpan(deviceName.IndexOf(':') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            || ((delegate* unmanaged<uint, int>)initialize)(0) != 0) return deviceName;
        const int Length = 256;
        byte* name = stackalloc byte[Length];
        return ((delegate* unmanaged<byte*, int, int, int>)getName)(name, Length, index) == 0
            ? Encoding.UTF8.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name))
            : deviceName;
    }
}
