using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A silo one of whose devices computes nothing any more, as after an error of CUDA's that stays.</summary>
public sealed class PoisonedDeviceTests
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task It_says_so_in_one_sentence_hands_over_and_ends_with_a_code_of_its_own()
    {
        using var folder = new TemporaryFolder();
        var faults = Directory.CreateDirectory(folder.File("faults")).FullName;
        File.WriteAllText(Path.Combine(faults, "any.kernel"), "2 poison 0");
        using var silo = new LoneSilo(faults, "--name", "lone", "--devices", "cpu", "--drain-timeout", "20", "--cache", folder.File("cache"));
        string[] submission = ["submit", GenSlmConsole.Sample, "--gateway", silo.Gateway, "--threads", "1", "--seq-length", "50", "--max-steps", "4", "--name", "run", "--output", folder.File("run"), "--detach"];
        // It takes a moment until it listens.
        using var deadline = new CancellationTokenSource(Deadline);
        ConsoleResult submitted;
        do submitted = await GenSlmConsole.RunAsync(submission);
        while (submitted.ExitCode == 3 && !silo.HasExited && !deadline.IsCancellationRequested);
        Assert.True(submitted.ExitCode == 0, submitted.Errors);
        int exitCode = await silo.EndAsync(deadline.Token);
        var log = await silo.Output;
        Assert.True(exitCode == 75, $"exit code {exitCode}\n{log}");
        Assert.Single(log.Split('\n'), line => line.Contains(
            "cpu computes nothing any more in this process: after 'A fault was asked for at kernel.' a small computation failed too, with 'A fault was asked for at kernel.'; the silo hands over what it holds and ends with exit code 75"));
        Assert.Contains("All is handed over; leaving", log);
        // The step before is in a checkpoint.
        Assert.NotEmpty(Directory.GetDirectories(folder.File("run/checkpoints")));
    }
}
