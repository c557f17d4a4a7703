using System.Text.RegularExpressions;

namespace GenSlmOrleans.Architecture.Tests;

/// <summary>Sizes, names and calls that the project keeps to.</summary>
public sealed partial class HabitTests
{
    private const int LongestFile = 400;
    private const int LongestMethod = 60;

    [Fact]
    public void A_file_holds_one_idea() => Assert.All(
        Repository.Files(".cs"), path => Assert.True(Repository.Lines(path).Length <= LongestFile, $"{path} has {Repository.Lines(path).Length} lines"));

    [Theory]
    [InlineData(4)]
    [InlineData(8)]
    public void A_method_fits_a_screen(int indentation)
    {
        foreach (var path in Repository.Files(".cs"))
            Assert.All(Bodies(Repository.Lines(path), indentation), body => Assert.True(body.Length <= LongestMethod, $"{path} line {body.Line}: a method of {body.Length} lines"));
    }

    [Theory]
    [InlineData("void First()", 61)]
    [InlineData("void Constrained<T>() where T : struct", 61)]
    [InlineData("void Generic<T>()\n        where T : class", 61)]
    [InlineData("/// <summary>Reads a record; see the class.</summary>\n    void Documented()", 61)]
    [InlineData("private sealed class Nested")]
    [InlineData("private readonly record struct Nested(\n        int Value)")]
    public void The_search_for_methods_takes_no_method_for_a_type(string declaration, params int[] expected)
    {
        string[] lines = ["class A", "{", .. $"    {declaration}".Split('\n'), "    {", .. Enumerable.Repeat("        Call();", 60), "    }", "}"];
        Assert.Equal(expected, Bodies(lines, 4).Select(body => body.Length));
    }

    // A member's body stands between braces at the members' indentation; a nested type's members at twice that.
    private static IEnumerable<(int Line, int Length)> Bodies(string[] lines, int indentation)
    {
        var margin = new string(' ', indentation);
        int start = -1;
        for (int i = 0; i < lines.Length; i++)
        {
            if (lines[i] == margin + "{") start = i;
            if (start < 0 || (lines[i] != margin + "}" && lines[i] != margin + "};")) continue;
            int declaration = start - 1;
            while (declaration > 0 && (lines[declaration].Length <= indentation || lines[declaration][indentation] == ' ')) declaration--;
            if (!TypeDeclaration().IsMatch(lines[declaration])) yield return (start + 1, i - start);
            start = -1;
        }
    }

    [Fact]
    public void A_name_says_the_idea() => Assert.All(
        Repository.Files(".cs"), path => Assert.DoesNotMatch("(Utils?|Helpers?|Manager|Common|Base|Impl)$", Path.GetFileNameWithoutExtension(path)));

    [Fact]
    public void Nothing_is_left_undone() => AssertNone("src/", UndoneWords());

    [Fact]
    public void Grains_and_silo_never_block()
    {
        AssertNone("src/Grains/", BlockingCalls());
        AssertNone("src/Silo/", BlockingCalls());
    }

    [Fact]
    public void Tests_wait_for_conditions_not_for_times() => AssertNone("tests/", Sleeps());

    [Fact]
    public void No_text_names_a_place_on_somebodys_machine()
    {
        foreach (var path in Repository.Files(".cs", ".csproj", ".props", ".targets", ".md", ".json", ".yaml", ".yml", ".sh", ".sln", ".editorconfig", "/genslm", "/test", "run"))
        {
            var lines = Repository.Lines(path);
            for (int i = 0; i < lines.Length; i++) Assert.False(MachinePaths().IsMatch(lines[i]), $"{path} line {i + 1}: {lines[i].Trim()}");
        }
    }

    private static void AssertNone(string folder, Regex forbidden)
    {
        foreach (var path in Repository.Files(".cs").Where(path => path.StartsWith(folder, StringComparison.Ordinal) && !path.EndsWith("/HabitTests.cs", StringComparison.Ordinal)))
        {
            var lines = Repository.Lines(path);
            for (int i = 0; i < lines.Length; i++) Assert.False(forbidden.IsMatch(lines[i]), $"{path} line {i + 1}: {lines[i].Trim()}");
        }
    }

    [GeneratedRegex(@"^\s*((public|internal|private|protected|file|static|sealed|abstract|partial|readonly|ref|unsafe)\s+)*(class|record|struct|interface|enum)\s", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TypeDeclaration();

    [GeneratedRegex("TODO|FIXME|HACK|NotImplementedException", RegexOptions.None, 1000)]
    private static partial Regex UndoneWords();

    [GeneratedRegex(@"\.Result\b|\.Wait\(\)|GetAwaiter\(\)\.GetResult|Thread\.Sleep|Task\.Run\(|Parallel\.", RegexOptions.None, 1000)]
    private static partial Regex BlockingCalls();

    [GeneratedRegex(@"Thread\.Sleep|Task\.Delay", RegexOptions.None, 1000)]
    private static partial Regex Sleeps();

    [GeneratedRegex(@"(^|[^A-Za-z0-9_.])/(work|farm|root|home)/", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MachinePaths();
}
