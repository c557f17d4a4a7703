using System.Net;
using GenSlmOrleans.Grains.Placement;
using Orleans.Configuration;
using Orleans.Runtime.Hosting;

namespace GenSlmOrleans.Silo.Hosting;

/// <summary>Orleans: membership of a local cluster, endpoints, placement.</summary>
internal static class ClusterHosting
{
    public const string ClusterId = "genslm";

    public static void AddCluster(this WebApplicationBuilder builder, SiloSettings settings) => builder.UseOrleans(silo =>
    {
        silo.UseLocalhostClustering(settings.SiloPort, settings.GatewayPort, settings.Primary, ClusterId, ClusterId);
        silo.Configure<SiloOptions>(options => options.SiloName = settings.Name);
        silo.Configure<EndpointOptions>(options => options.AdvertisedIPAddress = IPAddress.Loopback);
        silo.Services.AddPlacementDirector<OnNamedSilo, NamedSiloDirector>();
    });
}
