using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>A process of a test's own: killed with SIGKILL at its end.</summary>
internal sealed class ChildProcess : IDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private readonly Process _process;
    private readonly StringBuilder _output = new();

    private ChildProcess(ProcessStartInfo start)
    {
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>What it has written so far.</summary>
    public string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <summary>Starts a program; null where there is no such program.</summary>
    public static ChildProcess? TryStart(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in variables ?? new Dictionary<string, string>(StringComparer.Ordinal)) start.Environment[name] = value;
        try
        {
            return new ChildProcess(start);
        }
        catch (Win32Exception)
        {
            return null;
        }
    }

    /// <summary>Waits until a condition holds; fails with the process's output when it ends first or takes too long.</summary>
    public async Task UntilAsync(Func<Task<bool>> condition, TimeSpan deadline)
    {
        using var timer = new PeriodicTimer(PollInterval);
        var clock = Stopwatch.StartNew();
        while (!await condition())
        {
            Assert.False(_process.HasExited, $"{_process.StartInfo.FileName} ended:\n{Output}");
            Assert.True(clock.Elapsed < deadline, $"{_process.StartInfo.FileName} took longer than {deadline.TotalSeconds} s:\n{Output}");
            await timer.WaitForNextTickAsync(TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Sends SIGTERM and returns the exit code, which must come within <paramref name="grace"/>.</summary>
    public async Task<int> TerminateAsync(TimeSpan grace)
    {
        using var kill = Process.Start("kill", ["-TERM", $"{_process.Id}"]);
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(grace, TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private void Take(string? line)
    {
        lock (_output) _output.Append(line).Append('\n');
    }
}
