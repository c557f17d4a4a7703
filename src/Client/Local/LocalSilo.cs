using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace GenSlmOrleans.Client.Local;

/// <summary>A silo process of this console's own: it ends with the console, whichever way that ends.</summary>
internal sealed class LocalSilo : IDisposable
{
    private const int LogLinesShown = 5;

    private readonly Process _process;
    private readonly StreamWriter _log;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private LocalSilo(Process process, StreamWriter log, string logPath, SiloPorts ports)
    {
        (_process, _log, LogPath, Ports) = (process, log, logPath, ports);
        process.Exited += (_, _) => _ended.TrySetResult();
    }

    public SiloPorts Ports { get; }

    /// <summary>Where the silo's log goes.</summary>
    public string LogPath { get; }

    /// <summary>Completes when the process has ended.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Starts a silo.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="ports">Where it listens.</param>
    /// <param name="primary">The first silo of the cluster; null for the first.</param>
    /// <param name="sharesCores">Other silos compute on the same cores.</param>
    /// <param name="logPath">Where its log goes.</param>
    public static LocalSilo Start(string name, SiloPorts ports, IPEndPoint? primary, bool sharesCores, string logPath)
    {
        var start = new ProcessStartInfo(DotnetPath()) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[SiloProgram(), "--name", name, "--ends-with-parent", "true", "--cache", CacheFolder.Path])
            start.ArgumentList.Add(argument);
        Add("--silo-port", ports.Silo.ToString(CultureInfo.InvariantCulture));
        Add("--gateway-port", ports.Gateway.ToString(CultureInfo.InvariantCulture));
        Add("--http-port", ports.Http.ToString(CultureInfo.InvariantCulture));
        if (primary is not null) Add("--primary", primary.ToString());
        void Add(string option, string value)
        {
            start.ArgumentList.Add(option);
            start.ArgumentList.Add(value);
        }

        // OpenMP's threads spin while they wait, which takes the core from a neighbour that has work for it.
        if (sharesCores) start.Environment["OMP_WAIT_POLICY"] = "PASSIVE";
        Directory.CreateDirectory(Path.GetDirectoryName(logPath)!);
        var log = new StreamWriter(logPath, append: false) { AutoFlush = true };
        var process = new Process { StartInfo = start, EnableRaisingEvents = true };
        var silo = new LocalSilo(process, log, logPath, ports);
        process.OutputDataReceived += (_, line) => silo.Write(line.Data);
        process.ErrorDataReceived += (_, line) => silo.Write(line.Data);
        process.Start();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return silo;
    }

    /// <summary>What to say about a silo that ended by itself.</summary>
    public string Obituary()
    {
        var tail = File.Exists(LogPath) ? File.ReadLines(LogPath).TakeLast(LogLinesShown) : [];
        return $"exit code {_process.ExitCode}; its log is {LogPath}{string.Concat(tail.Select(line => $"\n  {line}"))}";
    }

    /// <summary>Ends the process at once.</summary>
    public void Dispose()
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

        _process.Dispose();
        lock (_log) _log.Dispose();
    }

    private void Write(string? line)
    {
        if (line is null) return;
        lock (_log)
        {
            if (_log.BaseStream is { CanWrite: true }) _log.WriteLine(line);
        }
    }

    private static string DotnetPath() =>
        Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : "dotnet";

    /// <summary>The silo's program: named by GENSLM_SILO, in the folder "silo" of a release, or beside ours in the build output.</summary>
    private static string SiloProgram()
    {
        const string Name = "GenSlmOrleans.Silo.dll";
        var here = AppContext.BaseDirectory;
        var configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(here));
        string?[] candidates =
        [
            Environment.GetEnvironmentVariable("GENSLM_SILO"),
            Path.Combine(here, "silo", Name),
            Path.GetFullPath(Path.Combine(here, "..", "..", "Silo", configuration, Name)),
        ];
        return candidates.FirstOrDefault(File.Exists)
            ?? throw new ClusterException($"The silo's program was not found; expected {candidates[^1]}, or its path in GENSLM_SILO. './genslm' builds it.");
    }
}
