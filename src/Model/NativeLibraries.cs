using System.Runtime.InteropServices;
using TorchSharp;

namespace GenSlmOrleans.Model;

/// <summary>
/// Loads libtorch and TorchSharp's bridge from the folder "native" beside the program, where the build links them
/// once for all programs. Everything in this project that touches torch calls <see cref="EnsureLoaded"/> first.
/// Where GENSLM_LIBTORCH names a folder, libtorch is that of the folder (a download's or a Python package's <c>lib</c>), of the version that
/// TorchSharp was built for; the bridge stays the program's own.
/// </summary>
public static class NativeLibraries
{
    private const string FolderVariable = "GENSLM_LIBTORCH";
    private const string Bridge = "LibTorchSharp";

    /// <summary>The OpenMP runtime that libtorch brings along.</summary>
    internal const string OpenMp = "gomp-98b21ff3";

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
        if (OfUser is { } folder && !File.Exists(Path.Combine(folder, FileName("torch_cpu"))))
            throw new DllNotFoundException($"{FolderVariable} is '{folder}', which has no {FileName("torch_cpu")}; it must be the folder of libtorch's libraries.");
        // In the order of their dependencies: each finds the ones before it already in the process, by name.
        foreach (var name in (string[])[OpenMp, "c10", "torch_cpu", "c10_cuda", "torch_cuda", "torch", Bridge])
            if (Find(name) is { } path) NativeLibrary.Load(path);
        NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, (name, _, _) => Find(name) is { } path ? NativeLibrary.Load(path) : IntPtr.Zero);
        torch.InitializeDeviceType(DeviceType.CPU);
        return true;
    }

    private static string? OfUser => Environment.GetEnvironmentVariable(FolderVariable) is { Length: > 0 } folder ? folder : null;

    /// <summary>In the user's folder, the shared one, or where NuGet puts the parts of the CUDA package; null when it is not there.</summary>
    private static string? Find(string library)
    {
        // Two libtorches, or two of what one brings along, would not go together.
        string[] folders = OfUser is { } libtorch && library != Bridge ? [libtorch] : ["native", Path.Combine("runtimes", RuntimeInformation.RuntimeIdentifier, "native"), Path.Combine("runtimes", "linux-x64", "native")];
        return folders.Select(folder => Path.Combine(AppContext.BaseDirectory, folder, FileName(library))).FirstOrDefault(File.Exists);
    }

    private static string FileName(string library) =>
        OperatingSystem.IsWindows() ? $"{library}.dll"
        : OperatingSystem.IsMacOS() ? $"lib{library}.dylib"
        : library.StartsWith("gomp-", StringComparison.Ordinal) ? $"lib{library}.so.1" : $"lib{library}.so";
}
