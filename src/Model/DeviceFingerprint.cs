using System.Globalization;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using TorchSharp;

namespace GenSlmOrleans.Model;

/// <summary>
/// What the bits of a device's results depend on besides the run's own settings, in a short text: two devices of the same text
/// compute the same bits. libtorch, MKL and oneDNN choose their kernels by the processor's instructions, vendor and model, a GPU's
/// by its model. The project's own kernels have the same bits whatever the vectors' width, and are no part of it.
/// </summary>
public static class DeviceFingerprint
{
    // Each makes a library choose other kernels, or round otherwise.
    private static readonly string[] ProcessorSettings =
        ["MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"];

    private static readonly string[] GpuSettings =
        ["NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "TORCH_BLAS_PREFER_CUBLASLT", "TORCH_CUDNN_USE_HEURISTIC_MODE_B"];

    /// <summary>The fingerprint of a device of this machine, as this process uses it.</summary>
    /// <param name="deviceName"><c>cpu</c> or <c>cuda:N</c>.</param>
    public static string Of(string deviceName)
    {
        NativeLibraries.EnsureLoaded();
        bool isProcessor = deviceName.Split(':')[0] == "cpu";
        string[] parts =
        [
            isProcessor ? $"cpu {Processor()}" : CudaDriver.NameOf(deviceName),
            .. isProcessor ? Instructions() : DeterministicMode.Fingerprint(),
            $"libtorch {torch.__version__}",
            .. Settings(isProcessor ? ProcessorSettings : GpuSettings),
        ];
        return string.Join(", ", parts);
    }

    /// <summary>Those of the settings that are set, as NAME=value.</summary>
    private static IEnumerable<string> Settings(IEnumerable<string> names) =>
        names.Select(name => (name, Value: Environment.GetEnvironmentVariable(name))).Where(setting => !string.IsNullOrEmpty(setting.Value)).Select(setting => $"{setting.name}={setting.Value}");

    /// <summary>Vendor, family and model, not the stepping: GenuineIntel 6/143.</summary>
    private static string Processor()
    {
        if (!X86Base.IsSupported) return RuntimeInformation.ProcessArchitecture.ToString();
        var (_, ebx, ecx, edx) = X86Base.CpuId(0, 0);
        Span<int> vendor = [ebx, edx, ecx];
        var (family, model) = FamilyAndModel(X86Base.CpuId(1, 0).Eax);
        return string.Create(CultureInfo.InvariantCulture, $"{System.Text.Encoding.ASCII.GetString(MemoryMarshal.AsBytes(vendor)).Trim('\0', ' ')} {family}/{model}");
    }

    // Intel's manual, volume 2, CPUID leaf 1: the extended parts count for families 15 and, the model's, 6.
    private static (int Family, int Model) FamilyAndModel(int signature)
    {
        int family = (signature >> 8) & 15, model = (signature >> 4) & 15;
        if (family is 6 or 15) model += ((signature >> 16) & 15) << 4;
        if (family == 15) family += (signature >> 20) & 255;
        return (family, model);
    }

    // What ATen has chosen, which ATEN_CPU_CAPABILITY may lower, and what oneDNN has for bf16.
    private static IEnumerable<string> Instructions()
    {
        if (Capability() is { } capability) yield return capability;
        if (!X86Base.IsSupported) yield break;
        const int Avx512Bf16 = 1 << 5, AmxBf16 = 1 << 22;
        if ((X86Base.CpuId(7, 1).Eax & Avx512Bf16) != 0) yield return "AVX512-BF16";
        if ((X86Base.CpuId(7, 0).Edx & AmxBf16) != 0) yield return "AMX-BF16";
    }

    /// <summary>at::get_cpu_capability(): a std::string, which libtorch writes where its first argument points to.</summary>
    private static unsafe string? Capability()
    {
        // Where a caller's string is passed differs on other systems; there the processor's model says enough.
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64) return null;
        if (!NativeLibraries.TryFindSymbol("torch_cpu", "_ZN2at18get_cpu_capabilityB5cxx11Ev", out nint symbol)) return null;
        // Its address, its length, and room for 15 letters: what does not fit there would be on the heap, and no capability is so long.
        nint* text = stackalloc nint[4];
        ((delegate* unmanaged<nint*, nint*>)symbol)(text);
        return Marshal.PtrToStringUTF8(text[0], (int)text[1]);
    }
}
