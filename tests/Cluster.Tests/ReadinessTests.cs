using System.Diagnostics;
using GenSlmOrleans.Testing;

namespace GenSlmOrleans.Cluster.Tests;

/// <summary>What a rolling update goes by: a silo is ready when what it is to hold is held.</summary>
public sealed class ReadinessTests
{
    private static readonly TimeSpan Looked = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task A_silo_is_not_ready_while_a_copy_of_a_run_is_on_its_way_to_it()
    {
        using var faults = new TemporaryFolder();
        await using var cluster = new UpCluster();
        await cluster.SucceedAsync("up", "--silos", "1", "--devices", "cpu");
        await cluster.SucceedAsync("submit", GenSlmConsole.Sample, "--epochs", "10000", "--val-fraction", "0", "--threads", "1", "--name", "flu", "--output", cluster.File("run"), "--detach");
        await cluster.SucceedAsync("watch", "flu", "--until-step", "2");

        var armed = faults.File("any.fill");
        await File.WriteAllTextAsync(armed, "0 wait 180", TestContext.Current.CancellationToken);
        // As the first, but for what is its own.
        var words = UpCluster.Words(cluster.ProcessOf("silo-0"));
        string After(string option) => words[Array.IndexOf(words, option) + 1];
        using var second = new LoneSilo(Path.GetDirectoryName(armed)!, "--name", "second", "--devices", "cpu", "--cache", After("--cache"), "--cluster", After("--cluster"), "--redis", After("--redis"));
        try
        {
            await UpCluster.UntilAsync("a block to be on its way", () => Task.FromResult(File.Exists($"{armed}.reached")));
            using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
            long began = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(began) < Looked) Assert.False(await cluster.IsReadyAsync(http, "second"));
            Assert.Contains("second active", (await cluster.SucceedAsync("silos", "--gateway", second.Gateway)).Replace("  ", " ").Replace("  ", " "));
            File.Delete(armed);
            await UpCluster.UntilAsync("the silo to be ready", () => cluster.IsReadyAsync(http, "second"));
        }
        finally
        {
            File.Delete(armed);
        }
    }
}
