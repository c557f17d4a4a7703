using System.Runtime.InteropServices;

namespace GenSlmOrleans.Model;

/// <summary>
/// libtorch's deterministic mode (torch.use_deterministic_algorithms), which TorchSharp does not bind: without it kernels of a GPU add in
/// whatever order their threads come. On the CPU there is nothing to choose, and the mode is left alone. It belongs to the process.
/// </summary>
/// <remarks>
/// Of attention's kernels flash attention and the one that saves memory have a backward that is deterministic in this mode, unless it only
/// warns (aten/src/ATen/native/transformers/cuda/attention_backward.cu); cuDNN's is left out.
/// </remarks>
public static unsafe class DeterministicMode
{
    private const string WorkspaceVariable = "CUBLAS_WORKSPACE_CONFIG";
    private const string Workspace = ":4096:8";
    private const string SmallWorkspace = ":16:8";

    // C++ names of at::Context's members, as GCC and Clang mangle them. What is filled is what nobody has written yet: our kernels write first.
    private static readonly Flag[] Flags =
    [
        new("deterministic algorithms", "26setDeterministicAlgorithmsEbb", "23deterministicAlgorithmsEv", WhenOn: true, AtFirst: false) { WarnsOnly = false },
        new("deterministic cuDNN", "21setDeterministicCuDNNEb", "18deterministicCuDNNEv", WhenOn: true, AtFirst: false),
        new("cuDNN's benchmark", "17setBenchmarkCuDNNEb", "14benchmarkCuDNNEv", WhenOn: false, AtFirst: false),
        new("cuDNN's attention", "14setSDPUseCuDNNEb", "19userEnabledCuDNNSDPEv", WhenOn: false, AtFirst: true),
        new("filling of new memory", "39setDeterministicFillUninitializedMemoryEb", "36deterministicFillUninitializedMemoryEv", WhenOn: false, AtFirst: true),
    ];

    /// <summary>Turns it on for this process, before the first product on a GPU.</summary>
    /// <exception cref="ArgumentException">The environment asks cuBLAS for a workspace with which its products are not deterministic.</exception>
    /// <exception cref="PlatformNotSupportedException">This libtorch has no such mode, or names it otherwise.</exception>
    public static void Enter()
    {
        var asked = Environment.GetEnvironmentVariable(WorkspaceVariable);
        if (ObjectionToWorkspace(asked) is { } objection) throw new ArgumentException(objection);
        // Read by cuBLAS with getenv, which does not see what .NET sets.
        if (string.IsNullOrEmpty(asked)) _ = SetVariable(WorkspaceVariable, Workspace, 1);
        Write([.. Flags.Select(flag => flag.WhenOn)]);
    }

    /// <summary>What the bits of a GPU's results depend on because of it, for <see cref="DeviceFingerprint"/>.</summary>
    internal static IEnumerable<string> Fingerprint()
    {
        var asked = Environment.GetEnvironmentVariable(WorkspaceVariable);
        return ["deterministic", $"cuBLAS workspace {(string.IsNullOrEmpty(asked) ? Workspace : asked)}"];
    }

    /// <summary>Puts it back to what libtorch begins with: for measuring what it costs.</summary>
    public static void Leave() => Write([.. Flags.Select(flag => flag.AtFirst)]);

    /// <summary>Why a device's results are not sure to be the same twice, as part of a sentence; null when all of the mode is on.</summary>
    public static string? Objection()
    {
        var off = Flags.Where(flag => flag.Read() != flag.WhenOn).Select(flag => flag.Name).ToArray();
        return off.Length == 0 ? null : $"libtorch's deterministic mode is off ({string.Join(", ", off)})";
    }

    /// <summary>What is wrong with cuBLAS' workspace, as a sentence (NVIDIA cuBLAS, Results Reproducibility); null when nothing is.</summary>
    public static string? ObjectionToWorkspace(string? value) => value is null or "" or Workspace or SmallWorkspace
        ? null
        : $"{WorkspaceVariable} is '{value}'; it must be {Workspace} or {SmallWorkspace}, for with others cuBLAS does not give the same bits twice, or not be set.";

    /// <summary>Each flag as it is.</summary>
    internal static bool[] Read() => [.. Flags.Select(flag => flag.Read())];

    private static void Write(bool[] values)
    {
        foreach (var (flag, value) in Flags.Zip(values)) flag.Write(value);
    }

    private static nint Symbol(string name) => NativeLibraries.TryFindSymbol("torch_cpu", name, out nint symbol)
        ? symbol
        : throw new PlatformNotSupportedException($"This libtorch has no {name}; its deterministic mode cannot be turned on, and a GPU would not give the same bits twice.");

    // at::globalContext(): there is one, for ever.
    private static nint Context() => ((delegate* unmanaged<nint>)Symbol("_ZN2at13globalContextEv"))();

    /// <summary>A switch of at::Context's.</summary>
    /// <param name="Name">For people.</param>
    /// <param name="Setter">Its name and parameters.</param>
    /// <param name="Getter">The same.</param>
    /// <param name="WhenOn">What it is in the mode.</param>
    /// <param name="AtFirst">What libtorch begins with.</param>
    private sealed record Flag(string Name, string Setter, string Getter, bool WhenOn, bool AtFirst)
    {
        /// <summary>A second argument, where the setter takes one: whether only to warn.</summary>
        public bool? WarnsOnly { get; init; }

        public void Write(bool value)
        {
            nint setter = Symbol($"_ZN2at7Context{Setter}");
            if (WarnsOnly is { } warnsOnly) ((delegate* unmanaged<nint, byte, byte, void>)setter)(Context(), AsByte(value), AsByte(warnsOnly));
            else ((delegate* unmanaged<nint, byte, void>)setter)(Context(), AsByte(value));
        }

        public bool Read() => ((delegate* unmanaged<nint, byte>)Symbol($"_ZNK2at7Context{Getter}"))(Context()) != 0;

        private static byte AsByte(bool value) => value ? (byte)1 : (byte)0;
    }

    [DllImport("libc", EntryPoint = "setenv", CharSet = CharSet.Ansi)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int SetVariable(string name, string value, int overwrite);
}
