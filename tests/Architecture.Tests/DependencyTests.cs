using System.Xml.Linq;

namespace GenSlmOrleans.Architecture.Tests;

/// <summary>Which project may use which: arrows go one way only.</summary>
public sealed class DependencyTests
{
    [Theory]
    [InlineData("Genomics")]
    [InlineData("Formats")]
    [InlineData("Training")]
    [InlineData("Abstractions")]
    [InlineData("Model", "Formats", "Genomics")]
    [InlineData("Grains", "Abstractions", "Model", "Training")]
    [InlineData("Silo", "Grains")]
    [InlineData("Client", "Abstractions", "Formats", "Genomics")]
    public void A_project_uses_what_the_design_says(string project, params string[] expected) =>
        Assert.Equal(expected, References($"src/{project}").Order(StringComparer.Ordinal));

    [Fact]
    public void All_source_projects_are_known_here_and_all_projects_are_in_the_solution()
    {
        Assert.Equal(
            ["Abstractions", "Client", "Formats", "Genomics", "Grains", "Model", "Silo", "Training"],
            Repository.Files(".csproj").Where(path => path.StartsWith("src/", StringComparison.Ordinal)).Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal));
        var solution = Repository.Text("GenSlmOrleans.sln").Replace('\\', '/');
        Assert.All(Repository.Files(".csproj"), path => Assert.Contains(path, solution));
    }

    [Fact]
    public void Only_the_model_brings_torch_along()
    {
        var users = Repository.Files(".csproj", ".props", ".targets")
            .Where(path => Repository.Text(path).Contains("Include=\"TorchSharp")).Where(path => path != "Directory.Packages.props");
        Assert.Equal(["build/Torch.props"], users);
        Assert.Equal(["src/Model/Model.csproj"], Repository.Files(".csproj").Where(path => Repository.Text(path).Contains("Torch.props")));
    }

    // SkiaSharp's native library and libtorch in one process end it.
    [Fact]
    public void What_draws_is_a_program_without_torch()
    {
        Assert.Equal(["bench/Plot/Plot.csproj"], Repository.Files(".csproj").Where(path => Repository.Text(path).Contains("Include=\"ScottPlot")));
        Assert.Equal(["Formats"], References("bench/Plot"));
        Assert.DoesNotContain(Repository.Files(".csproj"), path => Repository.Text(path).Contains("Plot.csproj"));
    }

    [Fact]
    public void Nothing_outside_the_model_names_a_tensor()
    {
        var strangers = Repository.Files(".cs")
            .Where(path => path.StartsWith("src/", StringComparison.Ordinal) && !path.StartsWith("src/Model/", StringComparison.Ordinal))
            .Where(path => Repository.Text(path).Contains("using TorchSharp") || Repository.Text(path).Contains("torch.Tensor"));
        Assert.Empty(strangers);
    }

    [Fact]
    public void Versions_are_in_one_place() => Assert.All(
        Repository.Files(".csproj", "Torch.props"),
        path => Assert.DoesNotContain(XDocument.Parse(Repository.Text(path)).Descendants("PackageReference"), package => package.Attribute("Version") is not null));

    private static IEnumerable<string> References(string folder) => XDocument.Parse(Repository.Text($"{folder}/{Path.GetFileName(folder)}.csproj"))
        .Descendants("ProjectReference")
        .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));
}
