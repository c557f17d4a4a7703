using System.Runtime.InteropServices;
using TorchSharp;

namespace GenSlmOrleans.Model;

/// <summary>
/// Loads libtorch and TorchSharp's bridge from the folder "native" beside the program, where the build links them
/// once for all programs. Everything in this project that touches torch calls <see cref="EnsureLoaded"/> first.
/// </summary>
public static class NativeLibraries
{
    private static readonly Lazy<bool> Loaded = new(Load);

    /// <summary>Loads the libraries; later calls do nothing.</summary>
    /// <exception cref="DllNotFoundException">A library is missing or does not load; the message names it.</exception>
    public static void EnsureLoaded() => _ = Loaded.Value;

    private static bool Load()
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "native");
        // In the order of their dependencies: each finds the ones before it already in the process, by name.
        foreach (var name in (string[])["gomp-98b21ff3", "c10", "torch_cpu", "torch", "LibTorchSharp"])
        {
            var path = Path.Combine(folder, FileName(name));
            if (File.Exists(path)) NativeLibrary.Load(path);
        }

        NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, (name, _, _) =>
        {
            var path = Path.Combine(folder, FileName(name));
            return File.Exists(path) ? NativeLibrary.Load(path) : IntPtr.Zero;
        });
        torch.InitializeDeviceType(DeviceType.CPU);
        return true;
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll"
        : OperatingSystem.IsMacOS() ? $"lib{library}.dylib"
        : library.StartsWith("gomp-", StringComparison.Ordinal) ? $"lib{library}.so.1" : $"lib{library}.so";
}
