using YamlDotNet.RepresentationModel;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>No manifest is left over: each is reached from an overlay.</summary>
public sealed class FileTests
{
    // Dashboards are imported into Grafana, not applied.
    private static readonly string[] NotApplied = ["k8s/grafana/", "k8s/README.md", "k8s/Containerfile"];

    [Fact]
    public void Every_manifest_is_reached_from_an_overlay()
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        foreach (var overlay in Overlay.Names) Reach($"k8s/overlays/{overlay}", reached);
        var there = Directory.EnumerateFiles(Repository.Path("k8s"), "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Repository.Root, path).Replace('\\', '/'))
            .Where(path => !NotApplied.Any(prefix => path.StartsWith(prefix, StringComparison.Ordinal)));
        Assert.Equal(there.Order(StringComparer.Ordinal), reached.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_dashboard_stays_where_its_readers_look_for_it() => Assert.True(File.Exists(Repository.Path("k8s/grafana/genslm-training.json")));

    private static void Reach(string folder, HashSet<string> reached)
    {
        var file = $"{folder}/kustomization.yaml";
        if (!reached.Add(file)) return;
        var yaml = new YamlStream();
        yaml.Load(new StringReader(Repository.Text(file)));
        foreach (var name in Named(folder, yaml.Documents[0].RootNode))
        {
            var path = Path.GetRelativePath(Repository.Root, Path.GetFullPath(Repository.Path($"{folder}/{name}"))).Replace('\\', '/');
            if (Directory.Exists(Repository.Path(path))) Reach(path, reached);
            else reached.Add(path);
        }
    }

    // Every text in a kustomization that is a path from its folder.
    private static IEnumerable<string> Named(string folder, YamlNode node) => node switch
    {
        YamlScalarNode { Value: { } text } => text.Length > 0 && Path.Exists(Repository.Path($"{folder}/{text}")) ? [text] : [],
        YamlSequenceNode list => list.SelectMany(item => Named(folder, item)),
        YamlMappingNode map => map.Children.Values.SelectMany(item => Named(folder, item)),
        _ => [],
    };
}
