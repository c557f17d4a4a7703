using System.Text;
using GenSlmOrleans.Fuzzing;

namespace GenSlmOrleans.Formats.Tests;

/// <summary>Damaged files, the same ones every time: each is read rightly or refused in a sentence, in bounded time and memory. <c>bench/run fuzz</c> has more.</summary>
[Collection(Alone)]
public class FuzzTests
{
    internal const string Alone = "Fuzzing";

    private const int Cases = 600;

    public static TheoryData<string> Targets => [.. FuzzTargets.Weights.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Targets))]
    public void A_damaged_file_is_read_rightly_or_refused(string name)
    {
        using var folder = new FuzzFolder();
        var session = new FuzzSession(Find(name), folder.Path, seed: 1);
        session.RunCases(0, Cases);
        Assert.Empty(session.Findings.Select(finding => $"case {finding.Case}: {finding.Sentence}"));
        // Both ends must be exercised, or the mutations are too mild or too wild to say anything.
        Assert.InRange(session.Accepted, Cases / 50, Cases - Cases / 50);
    }

    public static TheoryData<string, string, Func<byte[]>> OnceMishandled => new()
    {
        { "config", "config.json", () => "{\"model_type\": falsy,\n \"a\": 1\n}"u8.ToArray() },
        { "config", "config.json", () => Encoding.UTF8.GetBytes($"{{\"a\":[{string.Join(',', Enumerable.Repeat("0", 4_000_000))}]}}") },
        { "index", "model.safetensors.index.json", () => Encoding.UTF8.GetBytes($"{{\"weight_map\":{{\"a\":\"{new string('x', 100_000)}\"}}}}") },
        { "index", "model.safetensors.index.json", () => Encoding.UTF8.GetBytes($"{{\"a\":[{string.Join(',', Enumerable.Repeat("0", 15_000_000))}]}}") },
        { "index", "model.safetensors.index.json", () => "{\"weight_map\":{\"a\":\"x\\ny\"}}"u8.ToArray() },
        { "safetensors", "a.safetensors", () => SafetensorsTests.Raw($"{{\"{new string('x', 40_000_000)}\":{{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}}}", []) },
        { "safetensors", "a.safetensors", () => SafetensorsTests.Raw($"{{\"__metadata__\":{{{string.Join(',', Enumerable.Range(0, 1_000_000).Select(i => $"\"{i}\":\"\""))}}}}}", []) },
    };

    [Theory]
    [MemberData(nameof(OnceMishandled), DisableDiscoveryEnumeration = true)]
    public void What_was_mishandled_once_is_refused_in_bounded_memory_with_a_sentence_fit_for_a_terminal(string target, string name, Func<byte[]> create)
    {
        using var folder = new FuzzFolder();
        var outcome = new FuzzRun(Find(target), folder.Path).Try(new FuzzInput(name, create()));
        Assert.Null(outcome.Finding);
        Assert.False(outcome.Accepted);
    }

    private static FuzzTarget Find(string name) => FuzzTargets.Weights.Single(target => target.Name == name);
}

/// <summary>Memory in use is the process', so nothing else may run beside.</summary>
[CollectionDefinition(FuzzTests.Alone, DisableParallelization = true)]
public class FuzzingAlone;
