using System.Globalization;
using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Processes;
using StackExchange.Redis;

namespace GenSlmOrleans.Client.Local;

/// <summary>
/// Where a local cluster keeps its membership, grain state and reminders: Garnet, started for it, or the server of the
/// user's that GENSLM_REDIS names.
/// </summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private RedisServer(string address, ChildProcess? process) => (Address, Process) = (address, process);

    /// <summary>How silos reach it, as StackExchange.Redis reads it.</summary>
    public string Address { get; }

    /// <summary>Garnet's process; null where the server is the user's.</summary>
    public ChildProcess? Process { get; }

    /// <summary>The server of the user's that GENSLM_REDIS names, if any.</summary>
    public static string? OfUser => Environment.GetEnvironmentVariable("GENSLM_REDIS") is { Length: > 0 } address ? address : null;

    /// <summary>Connects to the user's server, or starts Garnet.</summary>
    /// <param name="port">Where Garnet is to listen.</param>
    /// <param name="folder">Where Garnet keeps its data; null: in memory only.</param>
    /// <param name="logPath">Where Garnet's log goes.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ClusterException">It does not answer; the message says which server and why.</exception>
    public static async Task<RedisServer> OpenAsync(int port, string? folder, string logPath, CancellationToken cancellation)
    {
        if (OfUser is { } address)
        {
            await PingAsync(address, "the server that GENSLM_REDIS names");
            return new RedisServer(address, null);
        }

        return await StartAsync(port, folder, logPath, cancellation);
    }

    /// <summary>Starts Garnet.</summary>
    /// <param name="port">Where it is to listen.</param>
    /// <param name="folder">Where it keeps its data, and finds those it kept before; null: in memory only.</param>
    /// <param name="logPath">Where its log goes.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <param name="host">This machine's address at which it is to listen; null: for processes of this machine only.</param>
    /// <exception cref="ClusterException">It does not answer; the message says why.</exception>
    public static async Task<RedisServer> StartAsync(int port, string? folder, string logPath, CancellationToken cancellation, IPAddress? host = null)
    {
        var place = new IPEndPoint(host ?? IPAddress.Loopback, port);
        var program = await GarnetTool.LocateAsync(cancellation);
        var server = new RedisServer($"{place}", ChildProcess.Start(program, Arguments(place, folder), Additions(), logPath));
        try
        {
            await server.ReadyAsync(place, cancellation);
            return server;
        }
        catch
        {
            server.Process!.Dispose();
            throw;
        }
    }

    /// <summary>Whether a server answers.</summary>
    /// <exception cref="ClusterException">None does.</exception>
    public static async Task PingAsync(string address, string what)
    {
        try
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(Parse(address));
            await connection.GetDatabase().PingAsync();
        }
        catch (RedisException exception)
        {
            throw new ClusterException($"Redis at {address} ({what}) does not answer: {exception.Message.Split(". ")[0]}.");
        }
    }

    /// <summary>Removes what a cluster kept on a server.</summary>
    public static async Task ForgetAsync(string address, string cluster)
    {
        await using var connection = await ConnectionMultiplexer.ConnectAsync(Parse(address));
        foreach (var server in connection.GetServers())
            await foreach (var key in server.KeysAsync(pattern: $"{cluster}/*")) await connection.GetDatabase().KeyDeleteAsync(key);
    }

    private static ConfigurationOptions Parse(string address)
    {
        try
        {
            return ConfigurationOptions.Parse(address);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            throw new UsageException($"'{address}' is not a Redis server's address; expected HOST:PORT, with options as StackExchange.Redis reads them.");
        }
    }

    private async Task ReadyAsync(IPEndPoint place, CancellationToken cancellation)
    {
        while (!await AnswersAsync(place, cancellation))
        {
            if (Process!.Ended.IsCompleted) throw new ClusterException($"Garnet did not start: {Process.Obituary()}");
            cancellation.ThrowIfCancellationRequested();
            await Task.WhenAny(Process.Ended, Task.Delay(PollInterval, cancellation));
        }
    }

    // Without the client library, which takes its time over a server that does not listen yet.
    private static async Task<bool> AnswersAsync(IPEndPoint place, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(AnswerLimit);
        try
        {
            using var connection = new TcpClient();
            await connection.ConnectAsync(place, limit.Token);
            var stream = connection.GetStream();
            await stream.WriteAsync("PING\r\n"u8.ToArray(), limit.Token);
            var answer = new byte[5];
            await stream.ReadExactlyAsync(answer, limit.Token);
            return answer.AsSpan().SequenceEqual("+PONG"u8);
        }
        catch (Exception exception) when (exception is SocketException or IOException or OperationCanceledException)
        {
            return false;
        }
    }

    // Small, for it holds little: membership, the state of a few grains, reminders. Orleans' scripts want Lua.
    private static IEnumerable<string> Arguments(IPEndPoint place, string? folder) =>
    [
        "--bind", $"{place.Address}", "--port", place.Port.ToString(CultureInfo.InvariantCulture), "--lua", "--lua-transaction-mode",
        "--memory", "256m", "--index", "1m",
        .. folder is null ? (string[])[] : Durable(folder),
    ];

    // An answer follows the write to the log. The native device would need libaio, which few machines have.
    private static string[] Durable(string folder) =>
        ["--aof", "--aof-commit-wait", "--aof-memory", "64m", "--recover", "--checkpointdir", folder, "--device-type", "RandomAccess"];

    private static Dictionary<string, string?> Additions() => new(StringComparer.Ordinal)
    {
        // A heap for each core is for servers with millions of keys.
        ["DOTNET_gcServer"] = "0",
        // What it would learn about its hot paths by compiling them twice more is never used: it has a few calls a second.
        ["DOTNET_TieredPGO"] = "0",
        [CompilerThread.TimeoutSetting] = CompilerThread.NoTimeout,
        ["DOTNET_STARTUP_HOOKS"] = typeof(RedisServer).Assembly.Location,
    };

    /// <summary>Ends Garnet at once; leaves the user's server alone.</summary>
    public ValueTask DisposeAsync()
    {
        Process?.Dispose();
        return ValueTask.CompletedTask;
    }
}
