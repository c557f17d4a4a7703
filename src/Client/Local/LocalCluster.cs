namespace GenSlmOrleans.Client.Local;

/// <summary>
/// Silo processes on this machine and a client connected to them, for the length of one command. One silo keeps the
/// cluster's state in memory; several keep it in Garnet or in the server that GENSLM_REDIS names.
/// </summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    private readonly List<LocalSilo> _silos = [];
    private readonly string _name;
    private RedisServer? _redis;
    private ClusterConnection? _connection;

    private LocalCluster(string name) => _name = name;

    public IReadOnlyList<LocalSilo> Silos => _silos;

    public IGrainFactory Grains => _connection!.Grains;

    /// <summary>Repeats calls for as long as one of its silos runs.</summary>
    public PatientCall Calls => _connection!.Calls;

    /// <param name="siloCount">How many silos.</param>
    /// <param name="runId">Names the logs.</param>
    /// <param name="tell">Shows what is waited for.</param>
    /// <param name="cancellation">Gives up.</param>
    /// <exception cref="ClusterException">A process did not come up; the message shows the end of its log.</exception>
    public static async Task<LocalCluster> StartAsync(int siloCount, string runId, Action<string> tell, CancellationToken cancellation)
    {
        // A name of its own, for a server of the user's may hold other clusters.
        var cluster = new LocalCluster(siloCount == 1 ? ClusterConnection.DefaultCluster : $"genslm-{runId}-{Guid.NewGuid():N}");
        try
        {
            await cluster.StartProcessesAsync(siloCount, Path.Combine(CacheFolder.Path, "logs", $"{runId}-{Environment.ProcessId}"), tell, cancellation);
            cluster._connection = await ClusterConnection.OpenAsync(
                () => [.. cluster._silos.Select(silo => silo.Ports.GatewayEndPoint)], cluster._name, cancellation, ClusterPresence.OfOwn(cluster.RunningSilos), tell);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync();
            throw;
        }
    }

    private IEnumerable<string> RunningSilos() => _silos.Where(silo => !silo.Ended.IsCompleted).Select(silo => silo.Name);

    private async Task StartProcessesAsync(int count, string logs, Action<string> tell, CancellationToken cancellation)
    {
        int cursor = SiloPorts.Start;
        if (count > 1) _redis = await RedisServer.OpenAsync(SiloPorts.Next(ref cursor), folder: null, $"{logs}-redis.log", cancellation);
        var places = Enumerable.Range(0, count).Select(i => new SiloPlace($"silo-{i}", SiloPorts.Free(ref cursor), _redis?.Address, _name, Devices: null));
        await LocalSilo.StartAllAsync([.. places], _silos, name => $"{logs}-{name}.log", tell, cancellation);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var silo in _silos) silo.Dispose();
        if (_connection is not null) await _connection.DisposeAsync();
        if (_redis is null) return;
        // Garnet's memory goes with it; a server of the user's is left as it was.
        if (_redis.Process is null) await RedisServer.ForgetAsync(_redis.Address, _name);
        await _redis.DisposeAsync();
    }
}
