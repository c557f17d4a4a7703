using System.Diagnostics;
using System.Text.Json;

namespace GenSlmOrleans.Bench;

/// <summary>The scripts of <c>bench/peers</c>, which do the same in PyTorch, where a Python has it.</summary>
internal static class PythonPeer
{
    /// <summary>What is said where there is none.</summary>
    public const string Missing = "No Python here has torch (Debian: python3-torch and libopenblas0-pthread): there is nothing to compare with.";

    // Debian's python3-torch is the system's Python's, which may not be the first on the path.
    private static readonly string[] s_pythons = ["python3", "/usr/bin/python3"];

    /// <summary>Runs a script that prints one JSON object; null where no Python has torch.</summary>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static JsonDocument? Run(string script, params string[] arguments)
    {
        var path = Measurement.InCheckout($"bench/peers/{script}");
        foreach (var python in s_pythons)
        {
            if (Output(python, "-c", "import torch") is null) continue;
            return JsonDocument.Parse(Output(python, [path, .. arguments]) ?? throw new InvalidOperationException($"{path} failed."));
        }

        return null;
    }

    // Null: it cannot be started, or fails.
    private static string? Output(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            _ = errors.IsCompleted;
            return process.ExitCode == 0 ? output : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
