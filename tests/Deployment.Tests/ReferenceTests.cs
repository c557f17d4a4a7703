using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>What one manifest says of another is true: labels, ports, volumes, config maps, secrets, claims.</summary>
public sealed class ReferenceTests
{
    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void A_workload_selects_its_own_pods_and_no_others(string overlay) => Assert.All(Workloads(overlay), workload =>
    {
        Assert.True(Selects(workload.Selector.MatchLabels, workload.Template), workload.Owner);
        var others = Overlay.Names.SelectMany(Workloads).Where(other => other.Owner != workload.Owner);
        Assert.DoesNotContain(others, other => Selects(workload.Selector.MatchLabels, other.Template));
    });

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void A_service_leads_to_ports_that_its_pods_have(string overlay) => Assert.All(Overlay.Render(overlay).Of<V1Service>(), service =>
    {
        var selected = Workloads(overlay).Where(workload => Selects(service.Spec.Selector, workload.Template)).ToArray();
        var container = Assert.Single(Assert.Single(selected).Template.Spec.Containers);
        Assert.All(service.Spec.Ports, port => Assert.Equal(
            Assert.Single(container.Ports, named => named.Name == port.TargetPort.Value).ContainerPort, port.Port));
    });

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void One_silo_leaves_at_a_time_when_nodes_are_drained(string overlay)
    {
        var budget = Assert.Single(Overlay.Render(overlay).Of<V1PodDisruptionBudget>());
        Assert.Equal("1", budget.Spec.MaxUnavailable.Value);
        Assert.Null(budget.Spec.MinAvailable);
        Assert.StartsWith("Deployment genslm-silo", Assert.Single(Workloads(overlay), workload => Selects(budget.Spec.Selector.MatchLabels, workload.Template)).Owner);
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Silos_are_spread_over_nodes_by_labels_that_they_have(string overlay)
    {
        var template = Overlay.Render(overlay).Silos.Spec.Template;
        var spread = Assert.Single(template.Spec.TopologySpreadConstraints);
        Assert.Equal("kubernetes.io/hostname", spread.TopologyKey);
        Assert.True(Selects(spread.LabelSelector.MatchLabels, template));
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Every_volume_is_mounted_and_every_mount_is_a_volume(string overlay)
    {
        var claimed = Overlay.Render(overlay).Of<V1StatefulSet>().ToDictionary(set => $"StatefulSet {set.Metadata.Name}", set => set.Spec.VolumeClaimTemplates.Select(claim => claim.Metadata.Name));
        Assert.All(Workloads(overlay), workload =>
        {
            var pod = workload.Template.Spec;
            var mounts = Assert.Single(pod.Containers).VolumeMounts;
            Assert.Equal(
                pod.Volumes.Select(volume => volume.Name).Concat(claimed.GetValueOrDefault(workload.Owner, [])).Order(StringComparer.Ordinal),
                mounts.Select(mount => mount.Name).Order(StringComparer.Ordinal));
            Assert.Distinct(mounts.Select(mount => mount.MountPath));
        });
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Config_maps_and_claims_are_there_and_none_is_idle(string overlay)
    {
        var rendered = Overlay.Render(overlay);
        var volumes = Workloads(overlay).SelectMany(workload => workload.Template.Spec.Volumes).ToArray();
        var environments = Workloads(overlay).SelectMany(workload => workload.Template.Spec.Containers).SelectMany(container => container.EnvFrom ?? []);
        AssertSame(rendered.Of<V1PersistentVolumeClaim>(), volumes.Select(volume => volume.PersistentVolumeClaim?.ClaimName));
        AssertSame(rendered.Of<V1ConfigMap>(), volumes.Select(volume => volume.ConfigMap?.Name).Concat(environments.Select(source => source.ConfigMapRef?.Name)));
        var names = Workloads(overlay).SelectMany(workload => workload.Template.Spec.Containers).SelectMany(container => container.Env).Select(variable => variable.ValueFrom?.ConfigMapKeyRef);
        Assert.All(names, reference => Assert.Null(reference));

        static void AssertSame<T>(IEnumerable<T> there, IEnumerable<string?> used)
            where T : k8s.IKubernetesObject<V1ObjectMeta> => Assert.Equal(
                there.Select(found => found.Metadata.Name).Order(StringComparer.Ordinal),
                used.OfType<string>().Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void A_file_that_a_command_reads_is_in_its_config_map(string overlay)
    {
        var rendered = Overlay.Render(overlay);
        var pod = Assert.Single(rendered.Of<V1StatefulSet>()).Spec.Template.Spec;
        var container = Assert.Single(pod.Containers);
        var mount = Assert.Single(container.VolumeMounts, mount => container.Command[1].StartsWith($"{mount.MountPath}/", StringComparison.Ordinal));
        var map = rendered.Find<V1ConfigMap>(pod.Volumes.Single(volume => volume.Name == mount.Name).ConfigMap.Name);
        var lines = map.Data[Path.GetFileName(container.Command[1])].Split('\n');
        Assert.Contains("appendonly yes", lines);
        var folder = Assert.Single(lines, line => line.StartsWith("dir ", StringComparison.Ordinal))[4..];
        Assert.Contains(container.VolumeMounts, data => data.MountPath == folder && data.Name == rendered.Of<V1StatefulSet>().Single().Spec.VolumeClaimTemplates.Single().Metadata.Name);
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Probes_ask_ports_that_the_container_has(string overlay) => Assert.All(
        Workloads(overlay).SelectMany(workload => workload.Template.Spec.Containers), container =>
        {
            V1Probe[] probes = [container.StartupProbe, container.ReadinessProbe, container.LivenessProbe];
            var ports = container.Ports.Select(port => port.Name).ToArray();
            Assert.All(probes, probe => Assert.True(probe.Exec is not null || ports.Contains((probe.HttpGet?.Port ?? probe.TcpSocket.Port).Value)));
        });

    [Fact]
    public void Both_overlays_can_be_applied_and_are_one_cluster()
    {
        var shared = Overlay.Names.Select(Overlay.Render).SelectMany(overlay => overlay.Objects).GroupBy(item => (item.Kind, item.Metadata.NamespaceProperty, item.Metadata.Name));
        Assert.All(shared, copies =>
        {
            var texts = copies.Select(k8s.KubernetesYaml.Serialize).Distinct(StringComparer.Ordinal);
            Assert.True(texts.Count() == 1, $"{copies.Key} differs between overlays");
            Assert.Equal(copies.Key.Kind == "Deployment" ? 1 : Overlay.Names.Length, copies.Count());
        });
    }

    private static IEnumerable<(string Owner, V1LabelSelector Selector, V1PodTemplateSpec Template)> Workloads(string overlay) => Overlay.Render(overlay).Workloads;

    private static bool Selects(IDictionary<string, string> labels, V1PodTemplateSpec pod) =>
        labels.Count > 0 && labels.All(label => pod.Metadata.Labels.TryGetValue(label.Key, out var value) && value == label.Value);
}
