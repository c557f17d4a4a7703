using GenSlmOrleans.Grains;
using GenSlmOrleans.Grains.Channels;
using GenSlmOrleans.Grains.Devices;
using GenSlmOrleans.Grains.Diagnostics;
using GenSlmOrleans.Grains.Host;
using GenSlmOrleans.Grains.Runs;
using GenSlmOrleans.Grains.Sites;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>What the grains of this silo share: devices, token stores, instruments, the clock.</summary>
internal static class ComputeHosting
{
    public static void AddCompute(this WebApplicationBuilder builder, SiloSettings settings)
    {
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(services => new SiloDevices(settings.Devices, services.GetRequiredService<TimeProvider>(), settings.SilosHere));
        builder.Services.AddSingleton(services => new TokenStores(Path.Combine(settings.CacheFolder, "tokens"), services.GetRequiredService<FileThreads>()));
        builder.Services.AddSingleton<ComputeThreads>();
        builder.Services.AddSingleton<FileThreads>();
        builder.Services.AddSingleton(new StorePatience(OfCall: settings.Deadlines.Store, OfRun: settings.Deadlines.StoreOutage));
        builder.Services.AddSingleton(new SiloMemory(settings.MemoryBytes));
        builder.Services.AddSingleton<SiloDrain>();
        builder.Services.AddSingleton<Peers>();
        builder.Services.AddSingleton<RunPlans>();
        builder.Services.AddSingleton<SiteResources>();
        builder.Services.AddSingleton<SiteStore>();
        builder.Services.AddSingleton(new ChannelSettings(settings.Address, settings.TensorPort, settings.HasTensorChannel));
        builder.Services.AddTensorChannel();
        builder.Services.AddHostedService<RunWaker>();
        builder.Services.AddSingleton(_ => new ClusterMetrics(settings.Name));
    }
}
