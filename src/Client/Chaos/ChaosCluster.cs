using System.Globalization;
using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Client.Local;

namespace GenSlmOrleans.Client.Chaos;

/// <summary>
/// A cluster of real processes that is there to be hurt: silos and a durable Garnet of their own, each of which can be
/// killed, stopped, told to leave and is then replaced. It knows every process it ever started, so that it can say which
/// outlive it.
/// </summary>
internal sealed class ChaosCluster : IAsyncDisposable
{
    /// <summary>How many silos there may be at a time, stopped ones included.</summary>
    public const int Places = 8;

    private static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan FillPatience = TimeSpan.FromMinutes(4);
    // Who has been there for so long has come up, and has something to do.
    private static readonly TimeSpan UsualStart = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private readonly string _folder;
    private readonly string _name = $"chaos-{Guid.NewGuid():N}";
    private readonly SiloPorts[] _ports = new SiloPorts[Places];
    private readonly LocalSilo?[] _silos = new LocalSilo?[Places];
    private readonly DateTimeOffset[] _startTimes = new DateTimeOffset[Places];
    private readonly List<LocalSilo> _all = [];
    private readonly List<KnownProcess> _started = [];
    private readonly SemaphoreSlim _changing = new(1, 1);
    private readonly int _redisPort;
    private RedisServer? _redis;
    private int _starts;

    private ChaosCluster(string folder, SiloNetwork? network)
    {
        _folder = folder;
        Network = network;
        int cursor = SiloPorts.Start;
        _redisPort = SiloPorts.Next(ref cursor);
        for (int i = 0; i < Places; i++) _ports[i] = SiloPorts.Free(ref cursor);
        Directory.CreateDirectory(FaultFolder);
    }

    /// <summary>Where silos look for the places at which they are to wait.</summary>
    public string FaultFolder => Path.Combine(_folder, "faults");

    /// <summary>What is between the silos; null: this machine's own.</summary>
    public SiloNetwork? Network { get; }

    /// <summary>Where the processes' logs go.</summary>
    public string LogFolder => Path.Combine(_folder, "logs");

    /// <summary>The silos whose processes are there, stopped ones included.</summary>
    public IEnumerable<LocalSilo> Silos => _silos.OfType<LocalSilo>().Where(silo => !silo.Ended.IsCompleted);

    /// <summary>The silos whose places are free again, and since when they were there.</summary>
    public IEnumerable<(string Name, DateTimeOffset Started)> Ended => _silos.Index().Where(place => place.Item is { Ended.IsCompleted: true }).Select(place => (place.Item!.Name, _startTimes[place.Index]));

    // Where nobody is, or all have just been started, nobody's cores are to be spared.
    private bool IsAtWork => _silos.Index().Any(place => place.Item is { Ended.IsCompleted: false } && TimeProvider.System.GetUtcNow() - _startTimes[place.Index] > UsualStart);

    /// <summary>Starts Garnet and silos, all of them ready.</summary>
    /// <param name="folder">Where its data and logs go.</param>
    /// <param name="silos">How many silos.</param>
    /// <param name="network">What is to be between them; null: this machine's own.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ClusterException">A process did not come up.</exception>
    public static async Task<ChaosCluster> OpenAsync(string folder, int silos, SiloNetwork? network, CancellationToken cancellation)
    {
        var cluster = new ChaosCluster(folder, network);
        try
        {
            await cluster.StartRedisAsync(cancellation);
            await cluster.FillAsync(silos, cancellation);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    // On a busy machine one that comes up may be declared dead by one that has: then it comes up again.
    private async Task FillAsync(int silos, CancellationToken cancellation)
    {
        using var filled = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        filled.CancelAfter(FillPatience);
        var replacing = ReplaceAsync(silos, filled.Token);
        while (true)
        {
            var starting = Silos.ToArray();
            try
            {
                if (await Task.WhenAny(Task.WhenAll(starting.Select(silo => silo.ReadyAsync(_ => { }, filled.Token))), replacing) is var first && first == replacing) await replacing;
                else await first;
                if (starting.Length >= silos && starting.All(silo => !silo.Ended.IsCompleted)) break;
            }
            catch (ClusterException) when (!filled.IsCancellationRequested && !replacing.IsCompleted)
            {
                // Its place is free again.
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                throw new ClusterException($"{silos} silos did not come up within {FillPatience.TotalMinutes:F0} minutes; their logs are in {LogFolder}");
            }
        }

        await filled.CancelAsync();
        await Task.WhenAny(replacing);
    }

    /// <summary>A client of the cluster, by those of its gateways that take connections now: messages to others would wait for them.</summary>
    /// <exception cref="ClusterException">None does.</exception>
    public async Task<ClusterConnection> ConnectAsync(CancellationToken cancellation)
    {
        var gateways = new List<IPEndPoint>();
        foreach (var silo in Silos.ToArray())
            if (await ListensAsync(silo.GatewayEndPoint, cancellation)) gateways.Add(silo.GatewayEndPoint);
        return gateways.Count > 0
            ? await ClusterConnection.OpenAsync(() => gateways, _name, cancellation)
            : throw new ClusterException("No silo takes connections.");
    }

    private static async Task<bool> ListensAsync(IPEndPoint place, CancellationToken cancellation)
    {
        try
        {
            using var connection = new TcpClient();
            await connection.ConnectAsync(place, cancellation);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>The silo of a name, if its process is there.</summary>
    public LocalSilo? Find(string name) => Silos.FirstOrDefault(silo => silo.Name == name);

    /// <summary>Starts a silo, under the first name that is free, and does not wait until it is ready.</summary>
    /// <exception cref="ClusterException">All places are taken.</exception>
    public Task<LocalSilo> StartAsync(CancellationToken cancellation) => StartAsync(null, cancellation);

    /// <summary>The same for the silo numbered <paramref name="number"/>.</summary>
    public async Task<LocalSilo> StartAsync(int? number, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation);
        try
        {
            return Start(number);
        }
        finally
        {
            _changing.Release();
        }
    }

    private LocalSilo Start(int? number = null)
    {
        int index = number ?? Array.FindIndex(_silos, silo => silo is null || silo.Ended.IsCompleted);
        if (index < 0) throw new ClusterException($"All {Places} places for silos are taken.");
        var place = new SiloPlace($"silo-{index}", _ports[index], _redis!.Address, _name, Devices: "cpu", Network?.Address(index));
        var silo = LocalSilo.Start(place, silosHere: null, Log(place.Name), FaultFolder, startsAside: IsAtWork, Network?.Prefix(index) ?? []);
        (_silos[index], _startTimes[index]) = (silo, TimeProvider.System.GetUtcNow());
        _all.Add(silo);
        _started.Add(KnownProcess.Of(silo.Process));
        return silo;
    }

    /// <summary>Replaces silos that have ended, as an orchestrator does, so that there are always so many, until cancelled.</summary>
    public Task ReplaceAsync(int silos, CancellationToken cancellation) => ReplaceAsync(silos, _ => Task.CompletedTask, cancellation);

    /// <summary>The same, each time after <paramref name="before"/>.</summary>
    public async Task ReplaceAsync(int silos, Func<CancellationToken, Task> before, CancellationToken cancellation)
    {
        while (true)
        {
            if (Silos.Count() < silos) await before(cancellation);
            await _changing.WaitAsync(cancellation);
            try
            {
                while (Silos.Count() < silos) Start();
            }
            finally
            {
                _changing.Release();
            }

            await Task.Delay(Interval, cancellation);
        }
    }

    /// <summary>Nobody is replaced until the result is disposed.</summary>
    public async Task<IDisposable> StopReplacingAsync(CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation);
        return new Stillness(_changing);
    }

    /// <summary>Ends Garnet as a power cut does.</summary>
    public void KillRedis() => _redis?.Process?.Dispose();

    /// <summary>Starts Garnet with what it had on the disk.</summary>
    public async Task StartRedisAsync(CancellationToken cancellation)
    {
        _redis = await RedisServer.StartAsync(_redisPort, Path.Combine(_folder, "redis"), Log("redis"), cancellation, Network?.Host);
        _started.Add(KnownProcess.Of(_redis.Process!));
    }

    // One log a start: a later process of the same name must not overwrite what the one before had to say.
    private string Log(string process) => Path.Combine(LogFolder, string.Create(CultureInfo.InvariantCulture, $"{++_starts:00}-{process}.log"));

    /// <summary>Ends everything; the processes that are still there afterwards.</summary>
    public async Task<IReadOnlyList<KnownProcess>> EndAsync()
    {
        await DisposeAsync();
        using var deadline = new CancellationTokenSource(EndPatience);
        var ended = await Task.WhenAll(_started.Select(process => process.EndsAsync(deadline.Token)));
        return [.. _started.Where((_, index) => !ended[index])];
    }

    public ValueTask DisposeAsync()
    {
        foreach (var silo in _all) silo.Dispose();
        KillRedis();
        return ValueTask.CompletedTask;
    }

    private sealed class Stillness(SemaphoreSlim changing) : IDisposable
    {
        public void Dispose() => changing.Release();
    }
}
