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
        // A member's body stands between braces at the members' indentation; a nested type's members at twice that.
        var margin = new string(' ', indentation);
        foreach (var path in Repository.Files(".cs"))
        {
            var lines = Repository.Lines(path);
            int start = -1;
            for (int i = 0; i < lines.Length; i++)
            {
                if (lines[i] == margin + "{") start = i;
                if (start < 0 || (lines[i] != margin + "}" && lines[i] != margin + "};")) continue;
                bool type = TypeDeclaration().IsMatch(string.Join(' ', lines[Math.Max(0, start - 4)..start].Reverse().TakeWhile(line => line.Length > 0)));
                Assert.True(type || i - start <= LongestMethod, $"{path} line {start + 1}: a method of {i - start} lines");
                start = -1;
            }
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

    [GeneratedRegex(@"\b(class|record|struct|interface|enum)\b", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex TypeDeclaration();

    [GeneratedRegex("TODO|FIXME|HACK|NotImplementedException", RegexOptions.None, 1000)]
    private static partial Regex UndoneWords();

    [GeneratedRegex(@"\.Result\b|\.Wait\(\)|GetAwaiter\(\)\.GetResult|Thread\.Sleep", RegexOptions.None, 1000)]
    private static partial Regex BlockingCalls();

    [GeneratedRegex(@"Thread\.Sleep|Task\.Delay", RegexOptions.None, 1000)]
    private static partial Regex Sleeps();

    [GeneratedRegex(@"(^|[^A-Za-z0-9_.])/(work|farm|root|home)/", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex MachinePaths();
}
