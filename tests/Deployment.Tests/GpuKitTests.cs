using System.Runtime.InteropServices;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>What is carried to a machine with a GPU, tried on the CPU: all that it needs besides itself is a folder with a libtorch.</summary>
public sealed class GpuKitTests
{
    [Fact]
    public void A_kit_measures_and_tests_with_its_own_runtime_and_a_libtorch_that_is_elsewhere()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux() && RuntimeInformation.ProcessArchitecture == Architecture.X64, "kits are for Linux on x64");
        using var folder = new TemporaryFolder();
        var kit = folder.File("kit");
        var libtorch = Repository.Path("artifacts/native/cpu-linux-x64");
        Repository.Run(Repository.Path("bench/gpu-kit"), kit);

        var measured = Repository.Run($"{kit}/run", libtorch, "cpu", "bench", "--model", "tiny", "--columns", "16", "--rounds", "2", "--backwards", "3");
        Assert.Contains("hashes of 3 gradients of the same micro-batch: 1 hashes", measured);
        var tested = Repository.Run($"{kit}/run", libtorch, "cpu", "tests", "-class", "*.DeterministicModeTests");
        Assert.Contains("Total: 6, Errors: 0, Failed: 0", tested);

        Directory.CreateDirectory(folder.File("other/lib"));
        File.WriteAllText(folder.File("other/lib/libtorch_cpu.so"), "");
        File.WriteAllText(folder.File("other/build-version"), "1.13.1\n");
        Assert.Equal($"{folder.File("other/lib")} is of libtorch 1.13.1; expected 2.10, which TorchSharp was built for.\n2\n", Answer($"'{kit}/run' '{folder.File("other/lib")}'"));
        Assert.Equal($"{folder.File("other")} has no libtorch_cpu.so; expected the folder of libtorch's libraries.\n2\n", Answer($"'{kit}/run' '{folder.File("other")}'"));
        Assert.EndsWith("is not empty; expected a folder that is not there yet, or an empty one.\n2\n", Answer($"bench/gpu-kit '{kit}'"));
    }

    private static string? Answer(string command) => Repository.Run("bash", "-c", $"{command} 2>&1; echo $?");
}
