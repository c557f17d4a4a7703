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

    /// <summary>Waits until the server answers: it may be starting at the same moment as the silo.</summary>
    /// <exception cref="TimeoutException">It did not for as long as a silo tries to join; the message says why.</exception>
    public static async Task AwaitAsync(string redis, FailureDeadlines deadlines)
    {
        using var deadline = new CancellationTokenSource(deadlines.Join);
        while (true)
        {
            try
            {
                var options = Options(redis, deadlines);
                options.AbortOnConnectFail = true;
                await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
                await connection.GetDatabase().PingAsync();
                return;
            }
            catch (RedisException exception)
            {
                if (deadline.IsCancellationRequested) throw new TimeoutException($"Redis at {redis.Split(',')[0]} did not answer within {deadlines.Join.TotalSeconds:F0} s: {exception.Message.Split(". ")[0]}.", exception);
                await Task.WhenAny(Task.Delay(deadlines.Heartbeat, deadline.Token));
            }
        }
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
