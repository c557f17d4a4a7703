using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>A Python, with PyTorch or without, where there is one.</summary>
internal static class Python
{
    private static readonly Lazy<string?> s_interpreter = new(() => Find("import torch"));
    private static readonly Lazy<string?> s_anyInterpreter = new(() => Find("pass"));

    /// <summary>What a script prints, line by line; the test is skipped where no Python has PyTorch.</summary>
    public static string[] Run(string script, params string[] arguments)
    {
        Assert.SkipWhen(s_interpreter.Value is null, "There is no python3 that can import torch.");
        return Run(s_interpreter.Value!, script, arguments);
    }

    /// <summary>The same for a script that needs no PyTorch.</summary>
    public static string[] RunPlain(string script, params string[] arguments)
    {
        Assert.SkipWhen(s_anyInterpreter.Value is null, "There is no python3.");
        return Run(s_anyInterpreter.Value!, script, arguments);
    }

    private static string? Find(string needed) =>
        new[] { "python3", "/usr/bin/python3" }.FirstOrDefault(candidate => TryRun(candidate, needed, []) is { ExitCode: 0 });

    private static string[] Run(string interpreter, string script, string[] arguments)
    {
        var (exitCode, output, error) = TryRun(interpreter, script, arguments)!.Value;
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
