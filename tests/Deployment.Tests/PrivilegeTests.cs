using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>What no pod may do.</summary>
public sealed class PrivilegeTests
{
    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void No_pod_is_root_writes_its_image_or_holds_a_token(string overlay) => Assert.All(Overlay.Render(overlay).Workloads, workload =>
    {
        var pod = workload.Template.Spec;
        Assert.False(pod.AutomountServiceAccountToken ?? true);
        Assert.Null(pod.ServiceAccountName);
        Assert.True(pod.SecurityContext.RunAsNonRoot);
        Assert.NotEqual(0, pod.SecurityContext.RunAsUser ?? 0);
        Assert.Equal("RuntimeDefault", pod.SecurityContext.SeccompProfile.Type);
        Assert.NotEqual(true, pod.HostNetwork);
        Assert.All(pod.Containers, container =>
        {
            Assert.True(container.SecurityContext.ReadOnlyRootFilesystem);
            Assert.False(container.SecurityContext.AllowPrivilegeEscalation ?? true);
            Assert.Equal(["ALL"], container.SecurityContext.Capabilities.Drop);
            Assert.Null(container.SecurityContext.Capabilities.Add);
        });
    });

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Temporary_files_have_a_place_beside_the_read_only_image(string overlay) => Assert.All(Overlay.Render(overlay).Workloads, workload =>
    {
        var mount = Assert.Single(Assert.Single(workload.Template.Spec.Containers).VolumeMounts, mount => mount.MountPath == "/tmp");
        Assert.NotNull(workload.Template.Spec.Volumes.Single(volume => volume.Name == mount.Name).EmptyDir);
    });

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void No_service_makes_a_variable_that_a_silo_would_read(string overlay) =>
        Assert.All(Overlay.Render(overlay).Workloads, workload => Assert.False(workload.Template.Spec.EnableServiceLinks ?? true));

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void Memory_is_limited_and_processors_are_not(string overlay) => Assert.All(
        Overlay.Render(overlay).Workloads.SelectMany(workload => workload.Template.Spec.Containers), container =>
        {
            Assert.True(container.Resources.Limits.ContainsKey("memory"));
            Assert.False(container.Resources.Limits.ContainsKey("cpu"));
            Assert.True(container.Resources.Requests.ContainsKey("cpu"));
        });

    [Fact]
    public void A_gpu_changes_hands_before_a_new_silo_starts()
    {
        var update = Overlay.Render("cuda").Silos.Spec.Strategy.RollingUpdate;
        Assert.Equal("0", update.MaxSurge.Value);
        Assert.Equal("1", update.MaxUnavailable.Value);
        var pod = Overlay.Render("cuda").Silos.Spec.Template.Spec;
        Assert.Contains(pod.Tolerations, toleration => toleration is { Key: "nvidia.com/gpu", OperatorProperty: "Exists", Effect: "NoSchedule" });
        Assert.Equal("DoNotSchedule", Assert.Single(pod.TopologySpreadConstraints).WhenUnsatisfiable);
    }
}
