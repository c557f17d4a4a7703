using System.Net;
using GenSlmOrleans.Silo.Hosting;
using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>What the manifests say to a silo, read as the silo reads it.</summary>
public sealed class SettingsTests
{
    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void A_silo_is_called_after_its_pod_and_reached_at_its_pod(string overlay)
    {
        var settings = Settings(overlay);
        Assert.Equal(PodEnvironment.PodName, settings.Name);
        Assert.Equal(IPAddress.Parse(PodEnvironment.PodAddress), settings.Address);
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void A_silo_listens_on_the_ports_that_its_container_names(string overlay)
    {
        var settings = Settings(overlay);
        var ports = Overlay.Render(overlay).Silo.Ports.ToDictionary(port => port.Name, port => port.ContainerPort, StringComparer.Ordinal);
        Assert.Equal(
            new Dictionary<string, int>(StringComparer.Ordinal) { ["silo"] = settings.SiloPort, ["tensors"] = settings.TensorPort, ["gateway"] = settings.GatewayPort, ["http"] = settings.HttpPort },
            ports);
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Redis_and_the_gateway_are_services_of_the_overlay(string overlay)
    {
        var rendered = Overlay.Render(overlay);
        AssertServed(rendered, Settings(overlay).Redis!.Split(',')[0]);
        AssertServed(rendered, PodEnvironment.Of(rendered)["GENSLM_GATEWAY"]);
        Assert.Equal($"password={PodEnvironment.Password}", Settings(overlay).Redis!.Split(',')[1]);
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void A_pod_has_longer_to_end_than_its_silo_to_hand_over_and_stop(string overlay)
    {
        var grace = TimeSpan.FromSeconds(Overlay.Render(overlay).Silos.Spec.Template.Spec.TerminationGracePeriodSeconds!.Value);
        var deadlines = Settings(overlay).Deadlines;
        Assert.True(grace > deadlines.Drain + deadlines.Stop, $"the pod has {grace.TotalSeconds} s, handing over {deadlines.Drain.TotalSeconds} s and stopping {deadlines.Stop.TotalSeconds} s");
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void The_cache_is_on_a_volume_of_the_pods_own(string overlay)
    {
        var rendered = Overlay.Render(overlay);
        var mount = Assert.Single(rendered.Silo.VolumeMounts, mount => mount.MountPath == Settings(overlay).CacheFolder);
        Assert.NotNull(rendered.Silos.Spec.Template.Spec.Volumes.Single(volume => volume.Name == mount.Name).Ephemeral);
    }

    [Fact]
    public void A_silo_on_gpus_offers_those_that_its_pod_is_given_and_no_processor()
    {
        var gpus = int.Parse(Overlay.Render("cuda").Silo.Resources.Limits["nvidia.com/gpu"].ToString());
        Assert.Equal(Enumerable.Range(0, gpus).Select(index => $"cuda:{index}"), Settings("cuda").Devices);
        Assert.Empty(Settings("cpu").Devices);
    }

    private static void AssertServed(Overlay overlay, string endPoint)
    {
        var parts = endPoint.Split(':');
        Assert.Contains(overlay.Find<V1Service>(parts[0]).Spec.Ports, port => port.Port == int.Parse(parts[1]));
    }

    // An option that the silo does not have is an ArgumentException here.
    private static SiloSettings Settings(string overlay) => SiloSettings.Read(PodEnvironment.Options(PodEnvironment.Of(Overlay.Render(overlay))));
}
