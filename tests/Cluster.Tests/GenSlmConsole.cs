using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>The console as a user runs it: a process, with silo processes of its own.</summary>
internal sealed class GenSlmConsole : IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(8);

    private readonly Process _process;
    private readonly StringBuilder _errors = new();
    private readonly Task<string> _output;
    private readonly List<(string Text, TaskCompletionSource<string> Seen)> _awaited = [];

    private GenSlmConsole(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.UseShellExecute = false;
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.Start();
        _process.BeginErrorReadLine();
        _output = _process.StandardOutput.ReadToEndAsync();
    }

    /// <summary>The repository's root.</summary>
    public static string Root { get; } = FindRoot();

    public static string Sample => Path.Combine(Root, "samples", "influenza.fasta");

    public int ProcessId => _process.Id;

    /// <summary>What has been written to standard error so far.</summary>
    public string Errors
    {
        get
        {
            lock (_errors) return _errors.ToString();
        }
    }

    /// <summary>Starts <c>genslm</c> with arguments.</summary>
    public static GenSlmConsole Start(params string[] arguments) => new(StartInfo("dotnet", arguments));

    /// <summary>Starts <c>genslm</c> through a shell script, in which "$@" is the console with its arguments.</summary>
    public static GenSlmConsole StartThrough(string script, params string[] arguments)
    {
        var start = new ProcessStartInfo("bash");
        foreach (var argument in (string[])["-c", script, "bash", "dotnet", Program("Client"), .. arguments]) start.ArgumentList.Add(argument);
        return new GenSlmConsole(start);
    }

    /// <summary>Runs <c>genslm</c> to its end.</summary>
    public static async Task<ConsoleResult> RunAsync(params string[] arguments)
    {
        using var console = Start(arguments);
        return await console.EndAsync();
    }

    /// <summary>Runs a training to its successful end and returns its summary.</summary>
    public static async Task<JsonElement> TrainAsync(params string[] arguments)
    {
        var result = await RunAsync(["train", .. arguments, "--json"]);
        Assert.True(result.ExitCode == 0, $"exit code {result.ExitCode}\n{result.Errors}");
        return result.Json;
    }

    /// <summary>Completes with the first line of standard error that contains <paramref name="text"/>.</summary>
    public async Task<string> LineAsync(string text)
    {
        var seen = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_errors)
        {
            if (_errors.ToString().Split('\n').FirstOrDefault(line => line.Contains(text)) is { } line) return line;
            _awaited.Add((text, seen));
        }

        var ended = _process.WaitForExitAsync();
        if (await Task.WhenAny(seen.Task, ended).WaitAsync(Deadline) == seen.Task || seen.Task.IsCompleted) return await seen.Task;
        throw new InvalidOperationException($"genslm ended without a line containing '{text}':\n{Errors}");
    }

    /// <summary>Starts <c>genslm</c> as a terminal does: in a process group of its own, with its silos in it.</summary>
    public static GenSlmConsole StartInGroup(params string[] arguments) => StartThrough("exec setsid \"$@\"", arguments);

    /// <summary>What Ctrl-C does: SIGINT to every process of the group.</summary>
    public void PressControlC() => Signal(-ProcessId, "INT");

    /// <summary>Sends a signal by name, as <c>kill -NAME</c> does.</summary>
    public void Signal(string name) => Signal(ProcessId, name);

    public static void Signal(int processId, string name)
    {
        using var kill = Process.Start("kill", [$"-{name}", "--", $"{processId}"]);
        kill.WaitForExit();
    }

    /// <summary>The console's silo processes that are alive.</summary>
    public int[] Silos() => [.. Directory.EnumerateDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), out int id) ? id : 0)
        .Where(id => id > 0 && IsSiloOf(id))];

    /// <summary>The process of one of the console's silos.</summary>
    public int Silo(string name) => Silos().Single(id => File.ReadAllText($"/proc/{id}/cmdline").Split('\0').SkipWhile(word => word != "--name").ElementAtOrDefault(1) == name);

    public async Task<ConsoleResult> EndAsync()
    {
        await _process.WaitForExitAsync().WaitAsync(Deadline);
        // Again without a deadline of its own: until the last line has been read.
        _process.WaitForExit();
        return new ConsoleResult(_process.ExitCode, await _output, Errors);
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private bool IsSiloOf(int id)
    {
        try
        {
            var parent = File.ReadAllLines($"/proc/{id}/status").First(line => line.StartsWith("PPid:", StringComparison.Ordinal))[5..].Trim();
            return int.Parse(parent) == ProcessId && File.ReadAllText($"/proc/{id}/cmdline").Contains("GenSlmOrleans.Silo.dll");
        }
        catch (IOException)
        {
            return false;
        }
    }

    private void Take(string? line)
    {
        if (line is null) return;
        lock (_errors)
        {
            _errors.Append(line).Append('\n');
            foreach (var (_, seen) in _awaited.Where(awaited => line.Contains(awaited.Text))) seen.TrySetResult(line);
        }
    }

    private static ProcessStartInfo StartInfo(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program) { WorkingDirectory = Root };
        foreach (var argument in (string[])[Program("Client"), .. arguments]) start.ArgumentList.Add(argument);
        return start;
    }

    public static string Program(string project)
    {
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        return Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", project, configuration, $"GenSlmOrleans.{project}.dll"));
    }

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "GenSlmOrleans.sln"))) folder = folder.Parent!;
        return folder.FullName;
    }
}

/// <summary>How a console ended.</summary>
internal sealed record ConsoleResult(int ExitCode, string Output, string Errors)
{
    public JsonElement Json => JsonDocument.Parse(Output).RootElement;
}
