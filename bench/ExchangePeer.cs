using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace GenSlmOrleans.Bench;

/// <summary>The same exchange in PyTorch, where a Python has it: Gloo's all-reduce and torch.optim.Adam, two ranks of one thread.</summary>
/// <param name="Torch">Its version.</param>
/// <param name="AllReduceSeconds">Of each round.</param>
/// <param name="AdamSeconds">Of each round.</param>
internal sealed record ExchangePeer(string Torch, double[] AllReduceSeconds, double[] AdamSeconds)
{
    // Debian's python3-torch is the system's Python's, which may not be the first on the path.
    private static readonly string[] s_pythons = ["python3", "/usr/bin/python3"];

    /// <summary>Runs it; null where no Python has torch.</summary>
    public static ExchangePeer? Run(long parameters, int rounds)
    {
        var script = Measurement.InCheckout("bench/peers/exchange.py");
        foreach (var python in s_pythons)
        {
            if (Output(python, "-c", "import torch") is null) continue;
            if (Output(python, script, parameters.ToString(CultureInfo.InvariantCulture), rounds.ToString(CultureInfo.InvariantCulture)) is not { } text)
                throw new InvalidOperationException($"{script} failed.");
            using var json = JsonDocument.Parse(text);
            double[] Seconds(string name) => [.. json.RootElement.GetProperty(name).EnumerateArray().Select(value => value.GetDouble())];
            return new ExchangePeer(json.RootElement.GetProperty("torch").GetString()!, Seconds("allReduce"), Seconds("adam"));
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
