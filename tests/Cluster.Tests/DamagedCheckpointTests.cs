using GenSlmOrleans.Formats;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>A disk has damaged what a run would go on from.</summary>
public sealed class DamagedCheckpointTests(UndisturbedRun undisturbed) : IClassFixture<UndisturbedRun>
{
    private static readonly string[] Settings =
    [
        GenSlmConsole.Sample, "--epochs", "9", "--learning-rate", "3e-3", "--val-every", "2", "--limit-val-batches", "2", "--seq-length", "100", "--threads", "1", "--keep-best", "2",
    ];

    [Theory]
    [InlineData("a byte of a part", "part-00001-of-00003.safetensors has XXH3 ")]
    [InlineData("a part is gone", "part-00001-of-00003.safetensors: there is no such file.")]
    [InlineData("the manifest", "manifest.json is not a checkpoint manifest")]
    [InlineData("an empty manifest", "manifest.json names parts for 0 elements of parameters")]
    public async Task The_newest_whole_checkpoint_is_gone_on_from_and_the_damaged_one_is_named_and_kept(string damage, string sentence)
    {
        using var folder = new TemporaryFolder();
        var expected = await undisturbed.TrainAsync([.. Settings, "--max-steps", "8"]);
        await GenSlmConsole.TrainAsync([.. Settings, "--max-steps", "6", "--output", folder.File("run")]);
        var (step, last) = Checkpoints(folder.File("run/checkpoints")).Last();
        Assert.Equal(6, step);
        Damage(last, damage);

        var resumed = await GenSlmConsole.RunAsync(["train", .. Settings, "--max-steps", "8", "--output", folder.File("run"), "--resume", "--json"]);
        Assert.True(resumed.ExitCode == 0, resumed.Errors);
        Assert.Contains(sentence, resumed.Errors);
        Assert.Contains($"It is kept in {folder.File("run/damaged")}/{Path.GetFileName(last)}; the run goes on from ", resumed.Errors);
        Assert.Contains("going on after step 4", resumed.Errors);
        foreach (var field in (string[])["weightsSha256", "ledgerHead", "bestValLoss", "steps", "tokens"])
            Assert.Equal(expected.GetProperty(field).GetRawText(), resumed.Json.GetProperty(field).GetRawText());
        Assert.Equal(Checkpoints(Path.Combine(undisturbed.Output, "checkpoints")).Select(Name), Checkpoints(folder.File("run/checkpoints")).Select(Name));
        Assert.Equal(File.ReadLines(Path.Combine(undisturbed.Output, "metrics.jsonl")).Count(), File.ReadLines(folder.File("run/metrics.jsonl")).Count());
        Assert.Equal([Path.GetFileName(last)], Directory.GetDirectories(folder.File("run/damaged")).Select(path => Path.GetFileName(path)));
        Assert.Equal(0, (await GenSlmConsole.RunAsync("verify", folder.File("run"))).ExitCode);
    }

    [Fact]
    public async Task When_all_are_damaged_the_run_does_not_begin_anew_and_says_why()
    {
        using var folder = new TemporaryFolder();
        await GenSlmConsole.TrainAsync([.. Settings, "--max-steps", "4", "--output", folder.File("run")]);
        var before = Checkpoints(folder.File("run/checkpoints"));
        Assert.Equal(2, before.Length);
        foreach (var (_, path) in before) Damage(path, "a byte of a part");
        for (int attempt = 0; attempt < 2; attempt++)
        {
            var result = await GenSlmConsole.RunAsync("resume", folder.File("run"));
            Assert.Equal(2, result.ExitCode);
            Assert.Contains($"All 2 checkpoints of the run are damaged: {before[^1].Path}", result.Errors);
            Assert.DoesNotContain("   at ", result.Errors);
        }

        Assert.Equal(before, Checkpoints(folder.File("run/checkpoints")));
    }

    private static string Name((long Step, string Path) checkpoint) => $"{checkpoint.Step} {Path.GetFileName(checkpoint.Path)}";

    private static (long Step, string Path)[] Checkpoints(string folder) =>
        [.. Directory.GetDirectories(folder).Select(path => (CheckpointManifest.Read(path).Step, path)).OrderBy(found => found.Step)];

    private static void Damage(string checkpoint, string damage)
    {
        var part = Directory.GetFiles(checkpoint, "part-00001-*").Single();
        var manifest = Path.Combine(checkpoint, CheckpointManifest.FileName);
        switch (damage)
        {
            case "a byte of a part":
                var bytes = File.ReadAllBytes(part);
                bytes[^5] ^= 1;
                File.WriteAllBytes(part, bytes);
                break;
            case "a part is gone":
                File.Delete(part);
                break;
            case "the manifest":
                File.WriteAllText(manifest, File.ReadAllText(manifest)[..100]);
                break;
            default:
                File.WriteAllText(manifest, "{\"step\": 6, \"progress\": {}}");
                break;
        }
    }
}
