using System.Text.RegularExpressions;
using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>The commands of k8s/README.md speak of what is there.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string[] Commands =
        [.. Repository.Text("k8s/README.md").Split('\n').Where(line => line.StartsWith("    ", StringComparison.Ordinal)).Select(line => line.Trim())];

    [Fact]
    public void The_secret_that_is_made_by_hand_is_the_one_that_pods_read()
    {
        var made = Commands.Select(command => Secret().Match(command)).Single(match => match.Success);
        var read = Overlay.Names.SelectMany(name => Overlay.Render(name).Workloads)
            .SelectMany(workload => workload.Template.Spec.Containers)
            .SelectMany(container => container.Env)
            .Select(variable => variable.ValueFrom?.SecretKeyRef)
            .OfType<V1SecretKeySelector>();
        Assert.All(read, reference => Assert.Equal((made.Groups["name"].Value, made.Groups["key"].Value), (reference.Name, reference.Key)));
        Assert.NotEmpty(read);
    }

    [Fact]
    public void Objects_and_folders_that_the_commands_name_are_there()
    {
        var there = Overlay.Names.SelectMany(name => Overlay.Render(name).Objects).ToArray();
        string[] names =
        [
            .. there.OfType<V1Deployment>().Select(item => $"deploy/{item.Metadata.Name}"),
            .. there.OfType<V1Service>().Select(item => $"svc/{item.Metadata.Name}"),
        ];
        var named = Commands.SelectMany(command => Named().Matches(command).Select(match => match.Value)).ToArray();
        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, names));
        Assert.All(Commands.SelectMany(command => Overlays().Matches(command)), match => Assert.Contains(match.Groups["name"].Value, Overlay.Names));
        Assert.All(there, item => Assert.Equal("genslm", item.Metadata.NamespaceProperty));
        Assert.All(Commands.Where(command => command.Contains("deploy/") || command.Contains("svc/")), command => Assert.Contains("-n genslm", command));
    }

    [GeneratedRegex(@"create secret generic (?<name>\S+) --from-literal=(?<key>[^=]+)=", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Secret();

    [GeneratedRegex(@"\b(deploy|svc)/[a-z0-9-]+", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Named();

    [GeneratedRegex(@"k8s/overlays/(?<name>[a-z0-9-]+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Overlays();
}
