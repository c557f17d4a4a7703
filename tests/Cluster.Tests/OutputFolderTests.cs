using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>What the output folder is protected from.</summary>
public sealed class OutputFolderTests
{
    [Fact]
    public async Task A_folder_in_use_by_a_live_run_is_left_alone()
    {
        using var folder = new TemporaryFolder();
        using var first = GenSlmConsole.Start("train", GenSlmConsole.Sample, "--epochs", "100", "--output", folder.File("run"));
        await first.LineAsync("step 1/");
        var second = await GenSlmConsole.RunAsync("resume", folder.File("run"));
        Assert.Equal(2, second.ExitCode);
        Assert.Contains($"The output folder {folder.File("run")} is in use by a live run; choose another --output or wait until it ends.", second.Errors);
        var third = await GenSlmConsole.RunAsync("train", GenSlmConsole.Sample, "--output", folder.File("run"));
        Assert.Equal(2, third.ExitCode);
        Assert.Contains("already holds a run", third.Errors);
        first.Signal("TERM");
        Assert.Equal(130, (await first.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task A_damaged_checkpoint_is_refused_by_name()
    {
        using var folder = new TemporaryFolder();
        await GenSlmConsole.TrainAsync(GenSlmConsole.Sample, "--max-steps", "1", "--output", folder.File("run"));
        var part = Directory.GetFiles(Directory.GetDirectories(folder.File("run/checkpoints")).Single(), "part-00001-*").Single();
        var bytes = File.ReadAllBytes(part);
        bytes[^5] ^= 1;
        File.WriteAllBytes(part, bytes);
        var result = await GenSlmConsole.RunAsync("resume", folder.File("run"));
        Assert.Equal(2, result.ExitCode);
        Assert.Contains($"{part} has XXH3 ", result.Errors);
        Assert.Contains("the checkpoint is damaged", result.Errors);
    }

    [Fact]
    public async Task Data_that_has_changed_since_is_refused_with_both_hashes()
    {
        using var folder = new TemporaryFolder();
        var data = folder.File("data.fasta");
        File.Copy(GenSlmConsole.Sample, data);
        await GenSlmConsole.TrainAsync(data, "--max-steps", "1", "--output", folder.File("run"));
        File.AppendAllText(data, "A\n");
        var result = await GenSlmConsole.RunAsync("resume", folder.File("run"));
        Assert.Equal(2, result.ExitCode);
        Assert.Matches("has changed: the run in .* began with data of hash [0-9a-f]{32}, now it is [0-9a-f]{32}", result.Errors);
    }
}
