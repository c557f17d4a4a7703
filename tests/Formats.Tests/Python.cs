using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>A Python that has PyTorch, where there is one.</summary>
internal static class Python
{
    private static readonly Lazy<string?> s_interpreter = new(() =>
        new[] { "python3", "/usr/bin/python3" }.FirstOrDefault(candidate => TryRun(candidate, "import torch", []) is { ExitCode: 0 }));

    /// <summary>What a script prints, line by line; the test is skipped where no Python has PyTorch.</summary>
    public static string[] Run(string script, params string[] arguments)
    {
        Assert.SkipWhen(s_interpreter.Value is null, "There is no python3 that can import torch.");
        var (exitCode, output, error) = TryRun(s_interpreter.Value!, script, arguments)!.Value;
        Assert.True(exitCode == 0, $"Python failed: {error}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private static (int ExitCode, string Output, string Error)? TryRun(string interpreter, string script, string[] arguments)
    {
        var start = new ProcessStartInfo(interpreter, ["-c", script, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        try
        {
            using var process = Process.Start(start)!;
            var error = new StringBuilder();
            process.ErrorDataReceived += (_, line) => error.AppendLine(line.Data);
            process.BeginErrorReadLine();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return (process.ExitCode, output, error.ToString());
        }
        catch (Win32Exception)
        {
            return null;
        }
    }
}
