using GenSlmOrleans.Fuzzing;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Damaged files, the same ones every time: each is read rightly or refused in a sentence, in bounded time and memory. <c>bench/run fuzz</c> has more.</summary>
public class FuzzTests
{
    private const int Cases = 1000;

    public static TheoryData<string> Targets => [.. FuzzTargets.Weights.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_damaged_file_is_read_rightly_or_refused(string name)
    {
        using var folder = new TemporaryFolder();
        var session = new FuzzSession(Find(name), folder.Path, seed: 1);
        session.RunCases(0, Cases);
        Assert.Empty(session.Findings.Select(finding => $"case {finding.Case}: {finding.Sentence}"));
        // Both ends must be exercised, or the mutations are too mild or too wild to say anything.
        Assert.InRange(session.Accepted, Cases / 50, Cases - Cases / 50);
    }

    private static FuzzTarget Find(string name) => FuzzTargets.Weights.Single(target => target.Name == name);
}
