using System.Diagnostics;
using GenSlmOrleans.Abstractions;
using GenSlmOrleans.Processes;

namespace GenSlmOrleans.Client.Local;

/// <summary>
/// A .NET program that this console starts and that ends with it, whichever way that ends, until <see cref="Stay"/> lets it
/// go. Its standard input is the tie (<see cref="ParentPipe"/>), its output goes to a log file.
/// </summary>
internal sealed class ChildProcess : IDisposable
{
    // 128 and the number of SIGKILL.
    private const int KilledExitCode = 137;

    private readonly Process _process;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private ChildProcess(Process process, string? logPath)
    {
        (_process, LogPath) = (process, logPath);
        process.Exited += (_, _) => _ended.TrySetResult();
    }

    public int Id => _process.Id;

    /// <summary>Where its output goes; null: where this console's goes.</summary>
    public string? LogPath { get; }

    /// <summary>Completes when the process has ended.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Starts <paramref name="program"/>, a .dll, with arguments and additions to the environment, behind a command that becomes it.</summary>
    public static ChildProcess Start(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?> environment, string? logPath, params IReadOnlyList<string> prefix)
    {
        if (logPath is not null) Directory.CreateDirectory(Path.GetDirectoryName(logPath)!);
        var start = StartInfo(logPath, [.. prefix, DotnetPath()]);
        foreach (var argument in (string[])[program, .. arguments]) start.ArgumentList.Add(argument);
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var child = new ChildProcess(new Process { StartInfo = start, EnableRaisingEvents = true }, logPath);
        child._process.Start();
        return child;
    }

    // The shell gives way to the program, process id included; only it can hand a file over as standard output, and a pipe to
    // this console would break as soon as this console ends.
    private static ProcessStartInfo StartInfo(string? logPath, string[] dotnet)
    {
        if (logPath is null) return new ProcessStartInfo(dotnet[0], dotnet[1..]) { UseShellExecute = false, RedirectStandardInput = true };
        if (OperatingSystem.IsWindows()) throw new ClusterException("Local clusters need a POSIX shell; on Windows, run genslm in WSL.");
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true };
        foreach (var argument in (string[])["-c", "exec \"$@\" >\"$0\" 2>&1", logPath, .. dotnet]) start.ArgumentList.Add(argument);
        return start;
    }

    /// <summary>Lets the process outlive this console.</summary>
    public void Stay()
    {
        _process.StandardInput.WriteLine(ParentPipe.Stay);
        _process.StandardInput.Flush();
    }

    /// <summary>What to say about a process that ended by itself.</summary>
    public string Obituary()
    {
        if (LogPath is null) return $"exit code {_process.ExitCode}";
        var last = File.Exists(LogPath) ? LogExcerpt.Of(File.ReadLines(LogPath)) : [];
        return $"exit code {_process.ExitCode}{Cause(_process.ExitCode)}; its log is {LogPath}{string.Concat(last.Select(line => $"\n  {line}"))}";
    }

    // Such a process has no last words.
    private static string Cause(int exitCode) => exitCode switch
    {
        KilledExitCode => " (killed, by somebody or for want of memory)",
        SiloExitCode.DevicePoisoned => " (one of its devices failed at everything)",
        _ => "",
    };

    /// <summary>The exit code of a process that has ended.</summary>
    public int ExitCode => _process.ExitCode;

    /// <summary>Ends the process at once.</summary>
    public void Kill()
    {
        try
        {
            _process.Kill();
            _process.WaitForExit();
        }
        catch (InvalidOperationException)
        {
            // It had ended already.
        }
    }

    /// <summary>Ends the process at once.</summary>
    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    public static string DotnetPath() =>
        Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";
}
