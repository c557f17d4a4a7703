using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>Runs that are too large for the silos that are to take them.</summary>
public sealed class MemoryTests
{
    private static readonly string[] Training =
        [GenSlmConsole.Sample, "--model", "genslm_250M_patric", "--seq-length", "8", "--batch-size", "1", "--accumulation-steps", "1", "--max-steps", "1"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task A_run_that_does_not_fit_is_refused_in_one_sentence_and_no_silo_dies(int silos)
    {
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.StartThrough("GENSLM_MEMORY=1GiB exec \"$@\"", ["train", .. Training, "--silos", $"{silos}", "--output", folder.File("run")]);
        AssertRefused(await console.EndAsync(), "--memory");
    }

    [Fact]
    public async Task The_limit_of_the_control_group_counts_not_the_machine_s_memory()
    {
        const string Script = """
            limit=/sys/fs/cgroup/memory/genslm-test-$$/memory.limit_in_bytes
            [ -d /sys/fs/cgroup/memory ] || limit=/sys/fs/cgroup/genslm-test-$$/memory.max
            mkdir $(dirname $limit) && echo 1500000000 > $limit && echo $$ > $(dirname $limit)/cgroup.procs || exit 99
            "$@"
            code=$?
            # The group is free to go when nobody is in it.
            echo $$ > $(dirname $(dirname $limit))/cgroup.procs
            rmdir $(dirname $limit)
            exit $code
            """;
        using var folder = new TemporaryFolder();
        using var console = GenSlmConsole.StartThrough(Script, ["train", .. Training, "--output", folder.File("run")]);
        var result = await console.EndAsync();
        Assert.SkipWhen(result.ExitCode == 99, $"no control group can be made here: {result.Errors}");
        AssertRefused(result, "of its control group");
    }

    private static void AssertRefused(ConsoleResult result, string source)
    {
        Assert.True(result.ExitCode == 2, $"exit code {result.ExitCode}\n{result.Errors}");
        var sentence = Assert.Single(result.Errors.Split('\n'), line => line.Contains("Model genslm_250M_patric needs"));
        Assert.Matches($@"needs [0-9.]+ GiB of memory on silo-\d \(.*\), which may use [0-9.]+ [GM]iB \(.*{source}\)\. ", sentence);
        Assert.DoesNotContain("silo-0 ended", result.Errors);
    }
}
