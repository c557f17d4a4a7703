using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A cache folder of its own and consoles that use it, so that a test has the one cluster of a machine for itself.</summary>
internal sealed class UpCluster : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    private readonly TemporaryFolder _folder = new();
    private readonly string _environment;

    /// <param name="environment">More variables, as a shell sets them.</param>
    public UpCluster(string environment = "") => _environment = $"export GENSLM_CACHE='{_folder.Path}' {environment}; unset GENSLM_GATEWAY";

    /// <summary>Where the runs of a test go.</summary>
    public string File(string name) => _folder.File(name);

    /// <summary>Starts <c>genslm</c> on this cluster.</summary>
    public GenSlmConsole Start(params string[] arguments) => GenSlmConsole.StartThrough($"{_environment}; exec \"$@\"", arguments);

    /// <summary>Runs <c>genslm</c> to its end.</summary>
    public async Task<ConsoleResult> RunAsync(params string[] arguments)
    {
        using var console = Start(arguments);
        return await console.EndAsync();
    }

    /// <summary>Runs <c>genslm</c> to its successful end.</summary>
    public async Task<string> SucceedAsync(params string[] arguments)
    {
        var result = await RunAsync(arguments);
        Assert.True(result.ExitCode == 0, $"genslm {string.Join(' ', arguments)} ended with {result.ExitCode}: {result.Errors}");
        return result.Output;
    }

    /// <summary>Name and state of each silo, as 'genslm silos' lists them: <c>silo-0 active, silo-1 dead</c>.</summary>
    public async Task<string> SilosAsync() => string.Join(", ", JsonDocument.Parse(await SucceedAsync("silos", "-o", "json")).RootElement.EnumerateArray()
        .Select(silo => $"{silo.GetProperty("name").GetString()} {silo.GetProperty("state").GetString()}"));

    /// <summary>Lists the silos until the list is <paramref name="expected"/>; returns how long that took.</summary>
    public async Task<TimeSpan> ExpectSilosAsync(string expected)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            var silos = await SilosAsync();
            if (silos == expected) return Stopwatch.GetElapsedTime(began);
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, $"expected '{expected}', found '{silos}' after {Deadline.TotalSeconds} s");
        }
    }

    /// <summary>The process id of a silo, as the cluster's file tells it.</summary>
    public int ProcessOf(string silo) => State().GetProperty("silos").EnumerateArray()
        .Single(known => known.GetProperty("name").GetString() == silo).GetProperty("process").GetProperty("id").GetInt32();

    /// <summary>The process id of Garnet.</summary>
    public int Garnet => State().GetProperty("garnet").GetProperty("id").GetInt32();

    /// <summary>Sends Redis a command and returns the first line of its answer.</summary>
    public Task<string> RedisAsync(string command) => RedisAsync(command.Split(' '));

    /// <summary>The same with words that hold spaces.</summary>
    public async Task<string> RedisAsync(params string[] words)
    {
        var address = State().GetProperty("redis").GetString()!.Split(':');
        using var connection = new TcpClient();
        await connection.ConnectAsync(address[0], int.Parse(address[1]));
        await using var stream = connection.GetStream();
        await stream.WriteAsync(Encoding.UTF8.GetBytes($"*{words.Length}\r\n{string.Concat(words.Select(word => $"${Encoding.UTF8.GetByteCount(word)}\r\n{word}\r\n"))}"));
        using var reader = new StreamReader(stream);
        using var deadline = new CancellationTokenSource(Deadline);
        var line = await reader.ReadLineAsync(deadline.Token) ?? "";
        return line.StartsWith('$') && line != "$-1" ? await reader.ReadLineAsync(deadline.Token) ?? "" : line;
    }

    /// <summary>The processes that use this cluster's cache folder: silos and Garnet, whoever started them.</summary>
    public int[] Processes() => [.. Directory.EnumerateDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), out int id) ? id : 0)
        .Where(id => id > 0 && id != Environment.ProcessId && CommandLine(id).Contains(_folder.Path) && CommandLine(id).Contains(".dll"))];

    /// <summary>Waits until the number of processes is as expected.</summary>
    public Task ExpectProcessesAsync(Func<int, bool> expected, string what) => UntilAsync(what, () => Task.FromResult(expected(Processes().Length)));

    /// <summary>Whether a silo that was started by name says that it is ready, as a readiness probe asks it.</summary>
    public async Task<bool> IsReadyAsync(HttpClient http, string silo)
    {
        var starting = Processes().Select(Words).FirstOrDefault(words => words.SkipWhile(word => word != "--name").ElementAtOrDefault(1) == silo && words.Contains("--http-port"));
        if (starting is null) return false;
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://127.0.0.1:{starting[Array.IndexOf(starting, "--http-port") + 1]}/health/ready"));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Waits until something holds.</summary>
    public static async Task UntilAsync(string what, Func<Task<bool>> holds)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        long began = Stopwatch.GetTimestamp();
        while (!await holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Deadline, $"waited {Deadline.TotalSeconds} s for {what}");
            await timer.WaitForNextTickAsync();
        }
    }

    public static void Kill(int process) => GenSlmConsole.Signal(process, "KILL");

    public async ValueTask DisposeAsync()
    {
        await RunAsync("down", "--grace", "0");
        foreach (var process in Processes()) Kill(process);
        await ExpectProcessesAsync(count => count == 0, "no process");
        _folder.Dispose();
    }

    private JsonElement State() => JsonDocument.Parse(System.IO.File.ReadAllBytes(_folder.File("cluster/cluster.json"))).RootElement;

    private static string CommandLine(int process) => string.Join(' ', Words(process));

    /// <summary>The words that a process was started with.</summary>
    public static string[] Words(int process)
    {
        try
        {
            return System.IO.File.ReadAllText($"/proc/{process}/cmdline").Split('\0');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
