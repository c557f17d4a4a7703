using System.Diagnostics;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace GenSlmOrleans.Architecture.Tests;

/// <summary>What is true of every file that is kept, whatever its kind, and of every type and project.</summary>
public sealed partial class TrackedTextTests
{
    [Fact]
    public void No_tracked_text_names_a_place_on_somebodys_machine()
    {
        foreach (var path in Tracked().Where(IsText))
        {
            var lines = Repository.Lines(path);
            for (int i = 0; i < lines.Length; i++) Assert.False(MachinePaths().IsMatch(lines[i]), $"{path} line {i + 1}: {lines[i].Trim()}");
        }
    }

    [Theory]
    [InlineData("see /wo" + "rk/x", true)]
    [InlineData("/ho" + "me/me", true)]
    [InlineData("\"/ro" + "ot/x\"", true)]
    [InlineData("src/wo" + "rk/x", false)]
    [InlineData("./ho" + "me/x", false)]
    public void A_machine_path_is_an_absolute_one(string text, bool expected) => Assert.Equal(expected, MachinePaths().IsMatch(text));

    [Fact]
    public void Build_outputs_are_not_tracked() =>
        Assert.DoesNotContain(Tracked(), path => path.Split('/').Any(part => part is "artifacts" or "bin" or "obj"));

    [Fact]
    public void A_type_is_named_after_its_idea()
    {
        foreach (var path in Sources())
        {
            foreach (var line in Repository.Lines(path))
                Assert.False(EmptyTypeName().Match(line) is { Success: true } match, $"{path}: {line.Trim()}");
            // AssemblyInfo is what .NET calls the place of an assembly's attributes.
            if (Path.GetFileName(path) != "AssemblyInfo.cs") Assert.DoesNotMatch(EmptyWord(), Path.GetFileNameWithoutExtension(path));
        }
    }

    [Theory]
    [InlineData("internal static class FileHelpers", true)]
    [InlineData("public readonly record struct DeviceInfo(int Id)", true)]
    [InlineData("    private interface IRunManager", true)]
    [InlineData("public sealed class ReplicaInformation", false)]
    [InlineData("// the class Information holds", false)]
    public void The_search_for_empty_names_finds_them(string line, bool expected) => Assert.Equal(expected, EmptyTypeName().IsMatch(line));

    [Fact]
    public void Only_the_model_speaks_torch()
    {
        // Model.Tests and the bench measure it; WeakenSymbolVersion mends its library's file, and DependencyTests look for the name.
        string[] allowed = ["src/Model/", "tests/Model.Tests/", "tests/Architecture.Tests/", "bench/", "build/WeakenSymbolVersion/"];
        // Formats.Tests hold Python programs, which speak of PyTorch.
        static bool Speaks(string path, string line) =>
            path.StartsWith("tests/Formats.Tests/", StringComparison.Ordinal) ? line.Contains("TorchSharp") : TorchName().IsMatch(line);
        var strangers = Sources().Where(path => !allowed.Any(folder => path.StartsWith(folder, StringComparison.Ordinal)))
            .SelectMany(path => Repository.Lines(path).Where(line => Speaks(path, line)).Select(line => $"{path}: {line.Trim()}"));
        Assert.Empty(strangers);
    }

    [Theory]
    [InlineData("using TorchSharp;", true)]
    [InlineData("private readonly Tensor _weights;", true)]
    [InlineData("public Tensor Forward(Tensor hidden_BTD)", true)]
    [InlineData("List<Tensor> parameters", true)]
    [InlineData("var loss = torch.zeros(1);", true)]
    [InlineData("public static StoredTensor Read(TensorDescription tensor)", false)]
    [InlineData("throw new InvalidDataException($\"Tensor {name} is missing.\");", false)]
    [InlineData("/// <summary>torch.optim.Adam: eps outside the root.</summary>", false)]
    public void The_search_for_torch_finds_it(string line, bool expected) => Assert.Equal(expected, TorchName().IsMatch(line));

    [Fact]
    public void A_package_has_its_version_in_one_file_only()
    {
        foreach (var path in Repository.Files(".csproj", ".props", ".targets"))
        {
            var packages = XDocument.Parse(Repository.Text(path)).Descendants().Where(element => element.Name.LocalName is "PackageReference" or "PackageVersion");
            foreach (var package in packages)
            {
                if (path == "Directory.Packages.props") continue;
                Assert.True(package.Name.LocalName == "PackageReference", $"{path} has a PackageVersion");
                var versions = package.Attributes().Select(attribute => attribute.Name.LocalName).Concat(package.Elements().Select(element => element.Name.LocalName));
                Assert.DoesNotContain(versions, name => name is "Version" or "VersionOverride");
            }
        }
    }

    private static IEnumerable<string> Sources() => Repository.Files(".cs");

    // Git's list where there is a repository; a copy without one is walked.
    private static IReadOnlyList<string> Tracked()
    {
        if (!Path.Exists(Path.Combine(Repository.Root, ".git"))) return [.. Repository.Files()];
        using var git = Process.Start(new ProcessStartInfo("git", ["-c", "safe.directory=*", "ls-files", "-z"]) { WorkingDirectory = Repository.Root, RedirectStandardOutput = true, UseShellExecute = false })!;
        var list = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        var files = list.Split('\0', StringSplitOptions.RemoveEmptyEntries).Where(path => File.Exists(Path.Combine(Repository.Root, path))).ToArray();
        Assert.NotEmpty(files);
        return files;
    }

    private static bool IsText(string path)
    {
        using var stream = File.OpenRead(Path.Combine(Repository.Root, path));
        var beginning = new byte[8000];
        return beginning.AsSpan(0, stream.ReadAtLeast(beginning, beginning.Length, throwOnEndOfStream: false)).IndexOf((byte)0) < 0;
    }

    [GeneratedRegex(@"(^|[^A-Za-z0-9_.])/(work|farm|root|home)/", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MachinePaths();

    [GeneratedRegex(@"^\s*((public|internal|private|protected|file|static|sealed|abstract|partial|readonly|ref)\s+)*(class|record(\s+(struct|class))?|struct|interface|enum)\s+\w*(Utils?|Helpers?|Manager|Common|Base|Info|Impl)\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex EmptyTypeName();

    [GeneratedRegex("(Utils?|Helpers?|Manager|Common|Base|Info|Impl)$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex EmptyWord();

    // As a namespace or a type in code; a comment may name what a formula comes from.
    [GeneratedRegex(@"^(?!\s*//)[^""]*?(\bTorchSharp\b|\btorch\.\w|\bTensor\s+_?\w+\s*([;=,)({]|$)|<Tensor[>,?]|\bTensor\[\])", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TorchName();
}
