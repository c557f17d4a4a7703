using GenSlmOrleans.Client.Chaos;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Client.Tests;

public sealed class SpotTraceTests
{
    [Fact]
    public void A_trace_says_who_comes_and_goes_when()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("trace.csv"), "time_seconds,silo,state\n# a comment\n0,b,up\n0,a,up\n\n12.5, b, down\n20,b,up\n");
        Assert.Equal(
            [new SpotEvent(TimeSpan.Zero, 0, true), new SpotEvent(TimeSpan.Zero, 1, true), new SpotEvent(TimeSpan.FromSeconds(12.5), 0, false), new SpotEvent(TimeSpan.FromSeconds(20), 0, true)],
            SpotTrace.Read(folder.File("trace.csv")));
    }

    [Fact]
    public void The_shipped_trace_can_be_replayed() =>
        Assert.True(SpotTrace.Read(Path.Combine(SourceRoot(), "samples", "spot-preemptions.csv")).Count(happened => !happened.IsUp) >= 5);

    [Theory]
    [InlineData("0,a,up\nsoon,a,down", "line 2: the time is 'soon'")]
    [InlineData("0,a,up\n5,a", "line 2: there are 2 columns; expected time_seconds,silo,state")]
    [InlineData("0,a,up\n5,a,gone", "line 2: the state is 'gone'; expected up or down")]
    [InlineData("0,a,up\n5,a,up", "line 2: a is up already")]
    [InlineData("0,a,up\n5,b,down", "line 2: b is down already")]
    [InlineData("0,a,up\n5,a,down\n4,a,up", "line 3: the time is 4, before that of the line before")]
    [InlineData("1,a,up", "has no silo that is up at time 0")]
    [InlineData("0,a,up\n0,b,up\n0,c,up\n0,d,up\n0,e,up\n0,f,up\n0,g,up\n0,h,up\n0,i,up", "names 9 silos; at most 8")]
    public void What_is_wrong_with_a_trace_is_said_by_line(string content, string expected)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("trace.csv"), content);
        Assert.Contains(expected, Assert.Throws<UsageException>(() => SpotTrace.Read(folder.File("trace.csv"))).Message);
    }

    private static string SourceRoot()
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "GenSlmOrleans.sln"))) root = root.Parent!;
        return root.FullName;
    }
}
