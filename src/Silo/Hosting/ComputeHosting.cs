using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Parameters;
using GenSlmOrleans.Grains.Runs;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>What the grains of this silo share: devices, token stores, instruments, the clock.</summary>
internal static class ComputeHosting
{
    public static void AddCompute(this WebApplicationBuilder builder, SiloSettings settings)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(services => new SiloDevices(settings.Devices, services.GetRequiredService<TimeProvider>()));
        builder.Services.AddSingleton(_ => new TokenStores(Path.Combine(settings.CacheFolder, "tokens")));
        builder.Services.AddSingleton<SiloDrain>();
        builder.Services.AddSingleton<PartitionStore>();
        builder.Services.AddSingleton<ReplicaStore>();
        builder.Services.AddHostedService<RunWaker>();
        builder.Services.AddSingleton(_ => new ClusterMetrics(settings.Name));
    }
}
