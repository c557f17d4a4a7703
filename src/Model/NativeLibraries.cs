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

    /// <summary>An exported symbol of one of the libraries.</summary>
    internal static bool TryFindSymbol(string library, string symbol, out nint address)
    {
        EnsureLoaded();
        address = 0;
        return Find(library) is { } path && NativeLibrary.TryGetExport(NativeLibrary.Load(path), symbol, out address);
    }

    private static bool Load()
    {
        // In the order of their dependencies: each finds the ones before it already in the process, by name.
        foreach (var name in (string[])["gomp-98b21ff3", "c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch", "LibTorchSharp"])
            if (Find(name) is { } path) NativeLibrary.Load(path);
        NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, (name, _, _) => Find(name) is { } path ? NativeLibrary.Load(path) : IntPtr.Zero);
        torch.InitializeDeviceType(DeviceType.CPU);
        return true;
    }

    /// <summary>In the shared folder, or where NuGet puts the parts of the CUDA package; null when it is in neither.</summary>
    private static string? Find(string library)
    {
        string[] folders = ["native", Path.Combine("runtimes", RuntimeInformation.RuntimeIdentifier, "native"), Path.Combine("runtimes", "linux-x64", "native")];
        return folders.Select(folder => Path.Combine(AppContext.BaseDirectory, folder, FileName(library))).FirstOrDefault(File.Exists);
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll"
        : OperatingSystem.IsMacOS() ? $"lib{library}.dylib"
        : library.StartsWith("gomp-", StringComparison.Ordinal) ? $"lib{library}.so.1" : $"lib{library}.so";
}
