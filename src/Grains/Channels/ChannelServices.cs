using GenSlmOrleans.Grains.Parameters;
using Microsoft.Extensions.DependencyInjection;

namespace GenSlmOrleans.Grains.Channels;

/// <summary>What the tensor channel consists of on each silo.</summary>
public static class ChannelServices
{
    /// <summary>Both ends. <see cref="ChannelSettings"/> have to be there.</summary>
    public static void AddTensorChannel(this IServiceCollection services)
    {
        services.AddSingleton<PartitionDoor>();
        services.AddSingleton<TotalsCodec>();
        services.AddSingleton<TensorListener>();
        services.AddSingleton<ChannelPeers>();
        services.AddHostedService(provider => provider.GetRequiredService<ChannelPeers>());
    }
}
