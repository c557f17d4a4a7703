using System.Collections.Concurrent;
using k8s;
using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>
/// What <c>kubectl kustomize</c> makes of an overlay, read into the typed models: a field that Kubernetes does not have
/// is an error. Tests that need it are skipped where there is no kubectl.
/// </summary>
internal sealed class Overlay
{
    private static readonly ConcurrentDictionary<string, Overlay> Rendered = new(StringComparer.Ordinal);

    private Overlay(string name)
    {
        Name = name;
        var folder = $"k8s/overlays/{name}";
        var yaml = Repository.Run("kubectl", "kustomize", folder) ?? Repository.Run("kustomize", "build", folder);
        Assert.SkipWhen(yaml is null, "There is neither kubectl nor kustomize on the path.");
        Objects = [.. KubernetesYaml.LoadAllFromString(yaml, strict: true).Cast<IKubernetesObject<V1ObjectMeta>>()];
    }

    /// <summary>The overlay's folders.</summary>
    public static string[] Names { get; } =
        [.. Directory.GetDirectories(Repository.Path("k8s/overlays")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal)];

    public static IEnumerable<TheoryDataRow<string>> All => Names.Select(name => new TheoryDataRow<string>(name));

    public string Name { get; }

    public IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Objects { get; }

    public V1Deployment Silos => Assert.Single(Of<V1Deployment>());

    public V1Container Silo => Assert.Single(Silos.Spec.Template.Spec.Containers);

    /// <summary>The pods' templates, by what makes the pods.</summary>
    public IEnumerable<(string Owner, V1LabelSelector Selector, V1PodTemplateSpec Template)> Workloads =>
    [
        .. Of<V1Deployment>().Select(owner => ($"Deployment {owner.Metadata.Name}", owner.Spec.Selector, owner.Spec.Template)),
        .. Of<V1StatefulSet>().Select(owner => ($"StatefulSet {owner.Metadata.Name}", owner.Spec.Selector, owner.Spec.Template)),
    ];

    public static Overlay Render(string name) => Rendered.GetOrAdd(name, _ => new Overlay(name));

    public IEnumerable<T> Of<T>()
        where T : IKubernetesObject<V1ObjectMeta> => Objects.OfType<T>();

    public T Find<T>(string name)
        where T : IKubernetesObject<V1ObjectMeta> => Assert.Single(Of<T>(), found => found.Metadata.Name == name);
}
