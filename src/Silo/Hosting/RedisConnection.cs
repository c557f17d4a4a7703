using StackExchange.Redis;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>One connection to Redis for membership, grain state and reminders. It outlives restarts of the server.</summary>
internal sealed class RedisConnection(string redis, FailureDeadlines deadlines)
{
    private readonly Lock _lock = new();
    private Task<ConnectionMultiplexer>? _connection;

    /// <summary>The connection, shared by all who ask.</summary>
    public async Task<(IConnectionMultiplexer Connection, bool IsShared)> OpenAsync()
    {
        Task<ConnectionMultiplexer> connection;
        lock (_lock) connection = _connection ??= ConnectionMultiplexer.ConnectAsync(Options(redis, deadlines));
        return (await connection, true);
    }

    /// <summary>What <paramref name="redis"/> says (HOST:PORT,password=…), with deadlines that fit the cluster's.</summary>
    /// <exception cref="ArgumentException">It is not as StackExchange.Redis reads it.</exception>
    public static ConfigurationOptions Options(string redis, FailureDeadlines deadlines)
    {
        ConfigurationOptions options;
        try
        {
            options = ConfigurationOptions.Parse(redis);
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException)
        {
            throw new ArgumentException($"--redis is '{redis}'; expected HOST:PORT, with options as StackExchange.Redis reads them: {exception.Message}", exception);
        }

        int timeout = (int)deadlines.Connect.TotalMilliseconds;
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = options.SyncTimeout = options.AsyncTimeout = timeout;
        options.ReconnectRetryPolicy = new LinearRetry((int)deadlines.Probe.TotalMilliseconds / 4);
        return options;
    }
}
