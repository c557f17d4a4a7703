using System.Diagnostics;
using System.Text.Json;

namespace GenSlmOrleans.Bench;

/// <summary>The scripts of <c>bench/peers</c>, which do the same in PyTorch, where a Python has it.</summary>
internal static class PythonPeer
{
    /// <summary>What is said where there is none.</summary>
    public const string Missing = "No Python here has torch (Debian: python3-torch and libopenblas0-pthread): there is nothing to compare with.";

    // Ctrl-C and SIGTERM reach it, too.
    private static readonly int[] s_interrupted = [128 + 2, 128 + 15];

    // Debian's python3-torch is the system's Python's, which may not be the first on the path.
    private static readonly string[] s_pythons = ["python3", "/usr/bin/python3"];

    private static readonly Lazy<string?> s_python = new(() => s_pythons.FirstOrDefault(python => End(python, "-c", "import torch") is { ExitCode: 0 }));

    /// <summary>Whether a Python here has torch.</summary>
    public static bool IsThere => s_python.Value is not null;

    /// <summary>Whether that Python has another module besides.</summary>
    public static bool Has(string module) => s_python.Value is { } python && End(python, "-c", $"import {module}") is { ExitCode: 0 };

    /// <summary>Runs a script that prints one JSON object.</summary>
    /// <exception cref="InvalidOperationException">There is no such Python, or the script failed.</exception>
    /// <exception cref="OperationCanceledException">It was interrupted.</exception>
    public static JsonDocument Run(string script, params string[] arguments)
    {
        var path = Measurement.InCheckout($"bench/peers/{script}");
        var end = End(s_python.Value ?? throw new InvalidOperationException(Missing), [path, .. arguments]);
        if (end is { } ended && s_interrupted.Contains(ended.ExitCode)) throw new OperationCanceledException($"{path} was interrupted.");
        return end is { ExitCode: 0 } ? JsonDocument.Parse(end.Output) : throw new InvalidOperationException($"{path} failed.\n{end?.Errors}");
    }

    // Null: there is no such program.
    private static ConsoleEnd? End(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        try
        {
            using var process = Process.Start(start)!;
            var errors = new List<string>();
            process.ErrorDataReceived += (_, line) => errors.Add(line.Data ?? "");
            process.BeginErrorReadLine();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return new ConsoleEnd(process.ExitCode, output, string.Join('\n', errors));
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
