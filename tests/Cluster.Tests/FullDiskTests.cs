using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>The disk of a run's output folder has room for one checkpoint of the tiny model (1.3 MB), not for a second beside it.</summary>
public sealed class FullDiskTests
{
    private static readonly string[] Settings =
    [
        GenSlmConsole.Sample, "--max-steps", "9", "--val-every", "1", "--limit-val-batches", "1", "--threads", "1", "--seq-length", "100", "--accumulation-steps", "2", "--learning-rate", "3e-3",
        "--keep-best", "3",
    ];

    // In a mount namespace of its own, whose disk grows when a file says so.
    private const string Script = """
        mount -t tmpfs -o size=2m tmpfs "$GENSLM_TEST_DISK" || exit 77
        (until [ -e "$GENSLM_TEST_DISK-grows" ]; do sleep 0.1; done; mount -o remount,size=64m "$GENSLM_TEST_DISK") & grower=$!
        trap '' INT
        (trap - INT; exec "$@"); code=$?
        kill $grower 2>/dev/null
        ls -A "$GENSLM_TEST_DISK/run" "$GENSLM_TEST_DISK/run/checkpoints" >&2
        exit $code
        """;

    [Fact]
    public async Task A_full_disk_is_waited_for_and_the_run_ends_in_the_same_bits()
    {
        using var folder = new TemporaryFolder();
        var expected = await GenSlmConsole.TrainAsync([.. Settings, "--output", folder.File("whole")]);
        using var console = Start(folder, "--json");
        await FullAsync(console, folder);
        await console.LineAsync("waiting for room on the disk of ");
        File.WriteAllText(folder.File("disk-grows"), "");
        var end = await console.EndAsync();
        Assert.True(end.ExitCode == 0, end.Errors);
        Assert.Contains("there is room on the disk of ", end.Errors);
        foreach (var field in (string[])["weightsSha256", "ledgerHead", "bestValLoss", "steps"])
            Assert.Equal(expected.GetProperty(field).GetRawText(), end.Json.GetProperty(field).GetRawText());
        foreach (var checkpoint in Directory.GetDirectories(folder.File("whole/checkpoints"))) Assert.Contains($"\n{Path.GetFileName(checkpoint)}\n", end.Errors);
    }

    [Fact]
    public async Task A_run_that_waits_for_its_disk_can_be_stopped_and_its_last_checkpoint_is_whole()
    {
        using var folder = new TemporaryFolder();
        using var console = Start(folder);
        await FullAsync(console, folder);
        console.PressControlC();
        var end = await console.EndAsync();
        Assert.Equal(130, end.ExitCode);
        Assert.Contains("the steps after the last checkpoint are done again", end.Errors);
        Assert.DoesNotContain("   at ", end.Errors);
        var listed = end.Errors.Split('\n');
        Assert.Single(listed, name => name.StartsWith("genslm-00-", StringComparison.Ordinal));
        Assert.DoesNotContain(listed, name => name.EndsWith(".partial", StringComparison.Ordinal));
    }

    private static GenSlmConsole Start(TemporaryFolder folder, params string[] more)
    {
        var disk = Directory.CreateDirectory(folder.File("disk")).FullName;
        return GenSlmConsole.StartThrough(
            $"export GENSLM_TEST_DISK='{disk}'; exec setsid unshare -rm bash -c '{Script.Replace("'", "'\\''")}' bash \"$@\"",
            ["train", .. Settings, "--output", Path.Combine(disk, "run"), .. more]);
    }

    private static async Task FullAsync(GenSlmConsole console, TemporaryFolder folder)
    {
        try
        {
            var line = await console.LineAsync(" is full; ");
            Assert.Contains($"The disk of {folder.File("disk/run")} is full; the last whole checkpoint is kept.", line);
        }
        catch (InvalidOperationException) when (console.Errors.Contains("unshare: ") || console.Errors.Contains("mount: "))
        {
            Assert.Skip("This machine does not let a test mount a disk of its own.");
        }
    }
}
