using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A silo is killed while it writes a checkpoint, at many places in it: what was there before stays whole.</summary>
public sealed class CheckpointKillTests
{
    private static readonly string[] Settings =
    [
        GenSlmConsole.Sample, "--max-steps", "24", "--epochs", "3", "--learning-rate", "3e-3", "--accumulation-steps", "5", "--val-every", "2", "--limit-val-batches", "2",
        "--seq-length", "100", "--threads", "1", "--keep-best", "2", "--schedule", "plateau", "--early-stopping-patience", "9",
    ];

    [Fact]
    public async Task A_silo_killed_anywhere_in_a_checkpoint_leaves_whole_ones_and_the_run_ends_in_the_same_bits()
    {
        using var folder = new TemporaryFolder();
        var expected = await GenSlmConsole.TrainAsync([.. Settings, "--output", folder.File("whole")]);
        var checkpoints = folder.File("run/checkpoints");
        // All but the manifest, which is not of the same length in each.
        long parts = Directory.EnumerateFiles(Directory.GetDirectories(folder.File("whole/checkpoints"))[0], "part-*").Sum(file => new FileInfo(file).Length);
        // Those that are there for the shortest time first, while there are most checkpoints to come.
        long[] offsets = [parts, 2 * parts / 3, parts / 2, parts / 3, 1, 0];
        foreach (long offset in offsets)
        {
            using var console = GenSlmConsole.Start(["train", .. Settings, "--output", folder.File("run"), "--resume"]);
            await console.LineAsync("step ");
            int silo = console.Silos().Single();
            using var deadline = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            while (BytesBeingWritten(checkpoints) < offset) Assert.False(deadline.IsCancellationRequested, $"no checkpoint of {offset} bytes was being written");
            GenSlmConsole.Signal(silo, "KILL");
            Assert.Equal(3, (await console.EndAsync()).ExitCode);
            AssertWhole(checkpoints);
        }

        var found = await GenSlmConsole.TrainAsync([.. Settings, "--output", folder.File("run"), "--resume"]);
        foreach (var field in (string[])["weightsSha256", "ledgerHead", "bestValLoss", "steps", "tokens"])
            Assert.Equal(expected.GetProperty(field).GetRawText(), found.GetProperty(field).GetRawText());
        Assert.Equal(Names(folder.File("whole/checkpoints")), Names(checkpoints));
    }

    /// <summary>Size of the checkpoint that has no name yet; -1 when there is none.</summary>
    private static long BytesBeingWritten(string checkpoints)
    {
        try
        {
            return Directory.Exists(checkpoints) && Directory.GetDirectories(checkpoints).FirstOrDefault(IsUnfinished) is { } writing
                ? Directory.EnumerateFiles(writing).Sum(file => new FileInfo(file).Length)
                : -1;
        }
        catch (IOException)
        {
            return -1;
        }
    }

    private static void AssertWhole(string checkpoints)
    {
        if (!Directory.Exists(checkpoints)) return;
        foreach (var path in Directory.GetDirectories(checkpoints).Where(path => !IsUnfinished(path)))
            foreach (var part in CheckpointManifest.Read(path).Parts)
                Assert.Equal(part.Xxh3, Xxh3.TextOf(Xxh3.OfFile(Path.Combine(path, part.File))));
    }

    private static string[] Names(string checkpoints) => [.. Directory.GetDirectories(checkpoints).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static bool IsUnfinished(string path) => Path.GetFileName(path)[0] == '.';
}
