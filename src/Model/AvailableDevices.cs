using System.Collections.Immutable;
using TorchSharp;

namespace GenSlmOrleans.Model;

/// <summary>What this machine can compute on.</summary>
public static class AvailableDevices
{
    /// <summary><c>cuda:0</c>, <c>cuda:1</c>… where libtorch finds GPUs, otherwise <c>cpu</c>.</summary>
    public static ImmutableArray<string> Names()
    {
        NativeLibraries.EnsureLoaded();
        if (!torch.cuda.is_available()) return ["cpu"];
        return [.. Enumerable.Range(0, torch.cuda.device_count()).Select(index => $"cuda:{index}")];
    }

    /// <summary>How many tensors this process holds.</summary>
    public static long LiveTensorCount => torch.Tensor.TotalCount;
}
