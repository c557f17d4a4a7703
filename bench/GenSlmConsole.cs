using System.Diagnostics;

namespace GenSlmOrleans.Bench;

/// <summary>How a command ended.</summary>
/// <param name="ExitCode">Its exit code.</param>
/// <param name="Output">What it wrote to standard output.</param>
/// <param name="Errors">What it wrote to standard error.</param>
internal sealed record ConsoleEnd(int ExitCode, string Output, string Errors);

/// <summary>The shipped console <c>genslm</c>, started as its users start it.</summary>
internal static class GenSlmConsole
{
    private const string Program = "artifacts/bin/Client/release/GenSlmOrleans.Client.dll";

    /// <summary>Runs a command that is to succeed.</summary>
    /// <returns>What it wrote to standard output.</returns>
    /// <exception cref="InvalidOperationException">It ended with another code than 0; the message has what it said.</exception>
    public static async Task<string> RunAsync(CancellationToken cancellation, params string[] arguments)
    {
        var end = await EndAsync(cancellation, arguments);
        return end.ExitCode == 0
            ? end.Output
            : throw new InvalidOperationException($"'genslm {arguments[0]}' ended with code {end.ExitCode}.\n{end.Output}{end.Errors}");
    }

    /// <summary>Runs a command to its end, whichever that is.</summary>
    public static async Task<ConsoleEnd> EndAsync(CancellationToken cancellation, params string[] arguments)
    {
        using var process = Start(arguments);
        try
        {
            var outputText = process.StandardOutput.ReadToEndAsync(cancellation);
            var errorText = process.StandardError.ReadToEndAsync(cancellation);
            await process.WaitForExitAsync(cancellation);
            return new ConsoleEnd(process.ExitCode, await outputText, await errorText);
        }
        catch (OperationCanceledException)
        {
            process.Kill();
            throw;
        }
    }

    /// <summary>Starts a command; the caller reads what it writes.</summary>
    public static Process Start(params string[] arguments)
    {
        var program = Measurement.InCheckout(Program);
        if (!File.Exists(program)) throw new UsageException($"{program} is not there; build src/Client and src/Silo in Release first, as bench/run does.");
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[program, .. arguments]) start.ArgumentList.Add(argument);
        return Process.Start(start)!;
    }
}
