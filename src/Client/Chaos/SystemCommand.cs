using System.ComponentModel;
using System.Diagnostics;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>A command of the operating system that takes rights which one may not have.</summary>
internal static class SystemCommand
{
    /// <summary>Runs it to its end.</summary>
    /// <exception cref="IOException">There is no such command, or it refuses; the message is its own.</exception>
    public static async Task RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true, UseShellExecute = false };
        try
        {
            using var process = Process.Start(start)!;
            var error = await process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (process.ExitCode != 0) throw new IOException(error.Trim().ReplaceLineEndings(" "));
        }
        catch (Win32Exception exception)
        {
            throw new IOException($"{program}: {exception.Message}", exception);
        }
    }
}
