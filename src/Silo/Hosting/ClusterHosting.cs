using System.Net;
using System.Net.Sockets;
using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Placement;
using Orleans.Configuration;
using Orleans.Runtime.Hosting;
using Orleans.Storage;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>Orleans: membership, storage, reminders, endpoints, placement and deadlines.</summary>
internal static class ClusterHosting
{
    // A run grain that has lost its silo comes back with its reminder; Orleans wants at least a minute by default.
    private static readonly TimeSpan ShortestReminder = TimeSpan.FromSeconds(5);

    public static void AddCluster(this WebApplicationBuilder builder, SiloSettings settings)
    {
        var deadlines = settings.Deadlines;
        builder.Services.AddSingleton(deadlines);
        // Before Orleans, which keeps all that is added after it waiting until it has joined.
        builder.AddConnectionWatch();
        builder.UseOrleans(silo =>
        {
            // Before the storage, which takes Orleans' own where there is none.
            silo.Services.AddSingleton<IGrainStorageSerializer, GrainStateSerializer>();
            if (settings.Redis is { } redis) silo.UseRedis(redis, deadlines);
            else silo.UseMemory(settings);
            silo.Configure<ClusterOptions>(options => options.ClusterId = options.ServiceId = settings.Cluster);
            silo.Configure<SiloOptions>(options => options.SiloName = settings.Name);
            silo.Configure<EndpointOptions>(options => Listen(options, settings));
            silo.Configure<ReminderOptions>(options => options.MinimumReminderPeriod = ShortestReminder);
            silo.UseDeadlines(deadlines);
            silo.UseDirectory();
            silo.Services.AddPlacementDirector<OnNamedSilo, NamedSiloDirector>();
        });
    }

    private static void UseRedis(this ISiloBuilder silo, string redis, FailureDeadlines deadlines)
    {
        var options = RedisConnection.Options(redis, deadlines);
        var connection = new RedisConnection(redis, deadlines);
        silo.UseRedisClustering(clustering => (clustering.ConfigurationOptions, clustering.CreateMultiplexer) = (options, _ => connection.OpenAsync()));
        silo.AddRedisGrainStorageAsDefault(storage => (storage.ConfigurationOptions, storage.CreateMultiplexer) = (options, _ => connection.OpenAsync()));
        silo.UseRedisReminderService(reminders => (reminders.ConfigurationOptions, reminders.CreateMultiplexer) = (options, _ => connection.OpenAsync()));
    }

    private static void UseMemory(this ISiloBuilder silo, SiloSettings settings)
    {
        silo.UseLocalhostClustering(settings.SiloPort, settings.GatewayPort, settings.Primary, settings.Cluster, settings.Cluster);
        silo.AddMemoryGrainStorageAsDefault();
        silo.UseInMemoryReminderService();
    }

    private static void Listen(EndpointOptions options, SiloSettings settings)
    {
        options.AdvertisedIPAddress = settings.Address;
        options.SiloPort = settings.SiloPort;
        options.GatewayPort = settings.GatewayPort;
        if (IPAddress.IsLoopback(settings.Address)) return;
        var any = settings.Address.AddressFamily == AddressFamily.InterNetworkV6 ? IPAddress.IPv6Any : IPAddress.Any;
        options.SiloListeningEndpoint = new IPEndPoint(any, settings.SiloPort);
        options.GatewayListeningEndpoint = new IPEndPoint(any, settings.GatewayPort);
    }

    private static void UseDeadlines(this ISiloBuilder silo, FailureDeadlines deadlines)
    {
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            options.ProbeTimeout = options.MaxProbeTimeout = deadlines.Probe;
            options.NumMissedProbesLimit = FailureDeadlines.MissedProbes;
            options.NumVotesForDeathDeclaration = 1;
            // Both prolong a probe beyond its deadline, the second by a random silo that may be as dead as the first.
            options.ExtendProbeTimeoutDuringDegradation = false;
            options.EnableIndirectProbes = false;
            options.IAmAliveTablePublishTimeout = options.TableRefreshTimeout = deadlines.Heartbeat;
            options.NumMissedTableIAmAliveLimit = (int)(deadlines.Stale / deadlines.Heartbeat);
            options.DeathVoteExpirationTimeout = deadlines.Join;
            options.MaxJoinAttemptTime = deadlines.Join;
        });
        silo.Configure<GrainCollectionOptions>(options => options.ActivationTimeout = deadlines.Activation);
        silo.Configure<ConnectionOptions>(options => options.OpenConnectionTimeout = deadlines.Connect);
        silo.Configure<SiloMessagingOptions>(options =>
        {
            options.ResponseTimeout = deadlines.Call;
            options.SystemResponseTimeout = deadlines.SystemCall;
            // Where a grain is may be asked of a silo that is no more; whoever calls it is held up for as long, and its other callers with it.
            options.PlacementTimeout = deadlines.SystemCall;
        });
    }

    // The default directory deactivates what survivors hold when the silo that had it registered dies: partitions among it.
    private static void UseDirectory(this ISiloBuilder silo)
    {
#pragma warning disable ORLEANSEXP003 // The distributed directory is called experimental.
        silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
        // Two activations for a moment are harmless, for every message is fenced; waiting for the dead one is not.
        silo.Configure<GrainDirectoryOptions>(options => options.RangeLeaseDuration = TimeSpan.Zero);
    }
}
