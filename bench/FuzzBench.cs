using System.Diagnostics;
using GenSlmOrleans.Fuzzing;

namespace GenSlmOrleans.Bench;

/// <summary>Damaged files by the hundred thousand: each is read rightly or refused in a sentence, in bounded time and memory.</summary>
internal static class FuzzBench
{
    /// <summary>Runs the cases; 1 when one broke a promise.</summary>
    public static int Run(Options options)
    {
        int cases = options.Number("cases", 200_000), seed = options.Number("seed", 1);
        var targets = Targets(options.Text("target"));
        if (options.Text("case") is not null) return Repeat(targets, seed, options.Number("case", 1));
        using var folder = new FuzzFolder();
        Console.WriteLine($"{cases:N0} cases, seed {seed}; limits: {FuzzRun.MostTime.TotalSeconds:F0} s of processor time, memory of twice the file and 64 MB");
        Console.WriteLine($"{"target",-14} {"cases",8} {"accepted",9} {"refused",9} {"a second",9} {"slowest",10} {"most held",12} {"resident",11}");
        bool found = false;
        for (int i = 0; i < targets.Count; i++)
        {
            int share = (cases / targets.Count) + (i < cases % targets.Count ? 1 : 0);
            found |= RunTarget(targets[i], folder.Path, seed, share);
        }

        folder.IsKept = found;
        return found ? 1 : 0;
    }

    private static bool RunTarget(FuzzTarget target, string folder, int seed, int cases)
    {
        var own = Directory.CreateDirectory(Path.Combine(folder, target.Name)).FullName;
        var extremes = new FuzzSession(target, own, seed);
        extremes.RunExtremes();
        Report($"{target.Name} (max)", extremes, null, null);
        Directory.Delete(own, recursive: true);
        Directory.CreateDirectory(own);
        var session = new FuzzSession(target, own, seed);
        long before = PeakMemory.StartPeak();
        var watch = Stopwatch.StartNew();
        session.RunCases(0, cases);
        Report(target.Name, session, watch.Elapsed, PeakMemory.ResidentPeak - before);
        foreach (var finding in extremes.Findings.Concat(session.Findings)) Save(target, finding, folder, seed);
        return extremes.Findings.Count + session.Findings.Count > 0;
    }

    private static void Report(string name, FuzzSession session, TimeSpan? time, long? residentRise) => Console.WriteLine(
        $"{name,-14} {session.Count,8:N0} {session.Accepted,9:N0} {session.Refused,9:N0} {(time is { } taken ? (session.Count / taken.TotalSeconds).ToString("N0") : ""),9} " +
        $"{session.Slowest.TotalMilliseconds,7:F0} ms {session.LargestBytes / 1e6,9:F1} MB" +
        (residentRise is { } rise ? $" {rise / 1e6,8:F1} MB" : ""));

    private static void Save(FuzzTarget target, FuzzFinding finding, string folder, int seed)
    {
        var place = Path.Combine(folder, "findings", $"{target.Name}-{finding.Case.Replace(' ', '-')}");
        Directory.CreateDirectory(place);
        foreach (var file in finding.Input?.Files ?? []) File.WriteAllBytes(Path.Combine(place, file.Name), file.Content);
        Console.WriteLine($"FOUND {target.Name}, case {finding.Case}: {finding.Sentence}");
        Console.WriteLine($"      input: {(finding.Input is null ? Path.Combine(folder, target.Name) : place)}");
        if (finding.Input is not null && int.TryParse(finding.Case, out _)) Console.WriteLine($"      again: bench/run fuzz --target {target.Name} --seed {seed} --case {finding.Case}");
    }

    private static int Repeat(IReadOnlyList<FuzzTarget> targets, int seed, int number)
    {
        if (targets is not [var target]) throw new UsageException("--case is a case of one target; name it with --target.");
        using var folder = new FuzzFolder();
        var session = new FuzzSession(target, folder.Path, seed);
        session.RunCases(number, 1);
        Report(target.Name, session, null, null);
        foreach (var finding in session.Findings) Save(target, finding, folder.Path, seed);
        folder.IsKept = session.Findings.Count > 0;
        return folder.IsKept ? 1 : 0;
    }

    private static IReadOnlyList<FuzzTarget> Targets(string? name)
    {
        if (name is null) return FuzzTargets.All;
        return FuzzTargets.All.Where(target => target.Name == name).ToList() is [var one]
            ? [one]
            : throw new UsageException($"There is no target '{name}'; expected one of {string.Join(", ", FuzzTargets.All.Select(target => target.Name))}.");
    }
}
