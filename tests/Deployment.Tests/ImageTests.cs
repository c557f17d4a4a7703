using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using k8s.Models;

namespace GenSlmOrleans.Deployment.Tests;

/// <summary>The Containerfile fits the projects it builds and the pods that run its image.</summary>
public sealed partial class ImageTests
{
    private static readonly string[] Lines = [.. Repository.Text("k8s/Containerfile").Replace("\\\n", " ").Split('\n').Where(line => line.Length > 0 && line[0] != '#')];

    [Fact]
    public void The_image_starts_the_silo_and_holds_the_console_beside_it()
    {
        var published = Publish().Matches(string.Join('\n', Lines)).ToDictionary(match => match.Groups["project"].Value, match => match.Groups["folder"].Value, StringComparer.Ordinal);
        Assert.Equal(["src/Client/Client.csproj", "src/Silo/Silo.csproj"], published.Keys.Order(StringComparer.Ordinal));
        Assert.All(published.Keys, project => Assert.True(File.Exists(Repository.Path(project)), project));
        Assert.Equal($"[\"dotnet\", \"{published["src/Silo/Silo.csproj"]}/GenSlmOrleans.Silo.dll\"]", Instruction("ENTRYPOINT"));
        // Where the console looks for the silo of a release.
        Assert.Equal($"{published["src/Client/Client.csproj"]}/silo", published["src/Silo/Silo.csproj"]);
        Assert.Contains($"ln -s {published["src/Client/Client.csproj"]}/GenSlmOrleans.Client /usr/local/bin/genslm", string.Join('\n', Lines));
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void The_image_is_for_the_pods_that_run_it(string overlay)
    {
        var rendered = Overlay.Render(overlay);
        var user = rendered.Silos.Spec.Template.Spec.SecurityContext;
        Assert.Equal($"{user.RunAsUser}:{user.RunAsGroup}", Instruction("USER"));
        Assert.Equal(user.RunAsGroup, user.FsGroup);
        Assert.Equal(rendered.Silo.Ports.Select(port => $"{port.ContainerPort}"), Instruction("EXPOSE").Split(' '));
        var mounts = rendered.Silo.VolumeMounts.Select(mount => mount.MountPath).ToArray();
        Assert.Contains(Instruction("WORKDIR"), mounts);
        var made = Assert.Single(Lines, line => line.Contains("install -d")).Split(' ').Where(word => word.StartsWith('/'));
        Assert.All(made.Where(folder => folder != "/usr/local/bin/genslm" && !folder.StartsWith("/app/", StringComparison.Ordinal)), folder => Assert.Contains(folder, mounts));
    }

    [Theory]
    [MemberData(nameof(Overlay.All), MemberType = typeof(Overlay))]
    public void An_overlay_runs_the_image_that_its_command_builds(string overlay)
    {
        var version = XDocument.Parse(Repository.Text("Directory.Build.props")).Descendants("Version").Single().Value;
        Assert.Equal($"genslm:{version}-{overlay}", Overlay.Render(overlay).Silo.Image);
        var command = $"docker build -f k8s/Containerfile --build-arg TorchBackend={overlay} -t genslm:{version}-{overlay} .";
        Assert.Contains(command, Repository.Text("k8s/Containerfile"));
        Assert.Contains(command, Repository.Text("k8s/README.md"));
    }

    [Fact]
    public void What_the_build_needs_is_sent_to_it()
    {
        var sent = Repository.Text(".dockerignore").Split('\n').Where(line => line.StartsWith('!')).Select(line => line[1..]).ToArray();
        Assert.All(["src", "build", "Directory.*", "global.json", ".editorconfig"], needed => Assert.Contains(needed, sent));
        Assert.All(sent, name => Assert.NotEmpty(Directory.EnumerateFileSystemEntries(Repository.Root, name)));
    }

    [Fact]
    public void A_published_silo_has_every_file_once_and_its_native_libraries()
    {
        var json = Repository.Run(
            "dotnet", "msbuild", "src/Silo/Silo.csproj", "-t:ComputeResolvedFilesToPublishList", "-getItem:ResolvedFileToPublish", "-p:Configuration=Release", "-p:NoBuild=true");
        using var items = JsonDocument.Parse(json!);
        var paths = items.RootElement.GetProperty("Items").GetProperty("ResolvedFileToPublish").EnumerateArray().Select(item => item.GetProperty("RelativePath").GetString()!).ToArray();
        Assert.Distinct(paths);
        Assert.Contains(paths, path => path.StartsWith("native/", StringComparison.Ordinal) && path.Contains("LibTorchSharp"));
    }

    // The last of its kind: the stages before it are not kept.
    private static string Instruction(string name) => Lines.Last(line => line.StartsWith($"{name} ", StringComparison.Ordinal))[(name.Length + 1)..];

    [GeneratedRegex(@"dotnet publish (?<project>\S+) .*-o (?<folder>\S+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Publish();
}
